//! Spans of requests (调用链): the route that was met, never the path or the query that came, and the status.

use axum::http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer};
use opentelemetry::{Context, KeyValue, global};

/// Under this name the platform makes its spans.
pub const TRACER: &str = "yizhan";

/// Begins the span of a request.
pub(crate) fn begin(method: &'static str, route: &str, headers: &HeaderMap) -> Context {
    let tracer = global::tracer(TRACER);
    let attributes = [KeyValue::new("http.request.method", method), KeyValue::new("http.route", route.to_owned())];
    let builder = tracer.span_builder(format!("{method} {route}")).with_kind(SpanKind::Server).with_attributes(attributes);
    let parent = match headers.get("traceparent").and_then(|it| it.to_str().ok()).and_then(remote) {
        Some(remote) => Context::new().with_remote_span_context(remote),
        None => Context::new(),
    };
    let span = tracer.build_with_context(builder, &parent);
    parent.with_span(span)
}

/// Ends it with the answer's status.
pub(crate) fn end(context: &Context, status: u16) {
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    if 500 <= status {
        // Why stands in the log, where only operators read.
        span.set_status(Status::error(""));
    }
    span.end();
}

/// The span that a caller says this one belongs to (W3C Trace Context). Its number is taken from anybody, for it opens
/// nothing. What else a caller may say is not: neither whether spans are to be sent, for that is load, nor texts of its own
/// (`tracestate`).
fn remote(text: &str) -> Option<SpanContext> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |it: &str, n: usize| it.len() == n && it.bytes().all(|it| it.is_ascii_hexdigit());
    if version != "00" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) || parts.next().is_some() {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_number_is_taken_and_its_wish_to_be_traced_or_not_is_not() {
        let said = |flags: &str| remote(&format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"));
        let (yes, no) = (said("01").expect("a parent"), said("00").expect("a parent"));
        assert_eq!(yes, no);
        assert_eq!(yes.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(yes.is_remote());
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(remote(text), None, "{text}");
        }
    }
}
