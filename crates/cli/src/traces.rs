//! Traces (调用链): spans of jobs, tables, doors and commits, sent to a collector where the settings name one.
//!
//! A span says what was done and how long it took: names of sources, tables and stages, and counts of rows. It is made by
//! hand where it is needed, and nothing of what libraries write of themselves is taken over, so that no query, file, number
//! or account can stand in one. Without a collector the tracer of the process does nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use opentelemetry::trace::{FutureExt, Span as _, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, Value, global};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};
use transform::Built;
use url::Url;

use crate::exit::Caller;

/// Spans in memory, sent or not; what comes beyond is dropped and counted.
const SPANS_MAX: usize = 4096;
/// Spans of one message to the collector.
const BATCH: usize = 512;
/// A collector that takes longer than this has not taken it, and a stop waits no longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is read of an answer: it says nothing that anybody waits for.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The way to a collector; what is still to be sent goes out when it is dropped.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts to send spans, if the settings name a collector.
    pub(crate) fn start(endpoint: &str, metrics: &Arc<serve::Metrics>) -> anyhow::Result<Option<Self>> {
        if endpoint.is_empty() {
            return Ok(None);
        }
        let address = address(endpoint)?;
        let wrong = |error: &dyn std::fmt::Display| {
            Caller(format!("调用链无法导出：{error} / trace.endpoint: spans cannot be exported: {error}"))
        };
        let mut client = reqwest::Client::builder()
            .timeout(PATIENCE)
            // The headers that the environment may name are secrets of one address.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("yizhan");
        if address.host_str().is_some_and(|it| matches!(it, "127.0.0.1" | "localhost" | "[::1]")) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|it| wrong(&it))?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Wire { client, runtime: tokio::runtime::Handle::current() })
            .with_endpoint(address.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|it| wrong(&it))?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Counted { to: exporter, waiting: waiting.clone(), metrics: metrics.clone() };
        let config = BatchConfigBuilder::default().with_max_queue_size(SPANS_MAX).with_max_export_batch_size(BATCH).build();
        let batches = BatchSpanProcessor::builder(counted).with_batch_config(config).build();
        let provider = SdkTracerProvider::builder()
            // Whether a span is sent is never said by whoever sends a request.
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(
                Resource::builder()
                    .with_service_name("yizhan")
                    .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                    .build(),
            )
            .with_span_processor(Bounded { to: batches, waiting, metrics: metrics.clone() })
            .build();
        global::set_tracer_provider(provider.clone());
        Ok(Some(Self(provider)))
    }

    /// Sends what is left; blocks, but not for longer than a few seconds. A second call does nothing.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(2 * PATIENCE) {
            tracing::debug!(%error, "the last spans");
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where spans go: `/v1/traces` of a collector.
fn address(endpoint: &str) -> anyhow::Result<Url> {
    let wrong = || {
        anyhow::Error::new(Caller(format!(
            "trace.endpoint = \"{endpoint}\"：请写收集器的 OTLP/HTTP 地址，如 http://127.0.0.1:4318；口令写在环境变量 \
             OTEL_EXPORTER_OTLP_HEADERS / trace.endpoint is the OTLP/HTTP address of a collector, like http://127.0.0.1:4318; \
             a token stands in the variable OTEL_EXPORTER_OTLP_HEADERS"
        )))
    };
    let mut url = Url::parse(endpoint).map_err(|_| wrong())?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !is_bare {
        return Err(wrong());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/v1/traces") {
        url.set_path(&format!("{path}/v1/traces"));
    }
    Ok(url)
}

/// Sends by the client that everything else uses, in its runtime: the exporter's own thread has none.
#[derive(Debug)]
struct Wire {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

#[async_trait]
impl HttpClient for Wire {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let mut answer = client.execute(reqwest::Request::try_from(request)?).await?;
            let status = answer.status();
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                body.extend_from_slice(&chunk);
                if ANSWER_BYTES_MAX < body.len() {
                    break;
                }
            }
            Ok::<_, HttpError>(Response::builder().status(status).body(Bytes::from(body))?)
        });
        sending.await?
    }
}

/// Counts what the collector took and what it did not.
#[derive(Debug)]
struct Counted<E> {
    to: E,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<serve::Metrics>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let n = batch.len();
        let result = self.to.export(batch).await;
        self.waiting.fetch_sub(n, Ordering::Relaxed);
        self.metrics.spans(if result.is_ok() { "sent" } else { "lost" }, n as u64);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.to.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.to.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.to.set_resource(resource);
    }
}

/// Holds so many spans and no more: a collector that is away costs spans, never memory or time of a request.
#[derive(Debug)]
struct Bounded<P> {
    to: P,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<serve::Metrics>,
}

impl<P: SpanProcessor> SpanProcessor for Bounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.to.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if SPANS_MAX <= self.waiting.fetch_add(1, Ordering::Relaxed) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.metrics.spans("lost", 1);
            return;
        }
        self.to.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.to.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.to.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.to.set_resource(resource);
    }
}

/// A span under whatever goes on here, until its context is dropped.
pub(crate) fn begin(name: &'static str) -> Context {
    let tracer = global::tracer(serve::TRACER);
    Context::current_with_span(tracer.start(name))
}

/// Does work under a span: what is begun in it belongs to it.
pub(crate) async fn within<T>(span: &Context, work: impl Future<Output = T>) -> T {
    work.with_context(span.clone()).await
}

/// Says something on a span: a name of a source, a table, a stage, or a count, and nothing of a person, an account, a query
/// or a file.
pub(crate) fn note(span: &Context, key: &'static str, value: impl Into<Value>) {
    span.span().set_attribute(KeyValue::new(key, value));
}

/// Whether anybody reads what is said on a span.
pub(crate) fn is_read(span: &Context) -> bool {
    span.span().is_recording()
}

/// Says on a span that it failed; why stands in the log, where only operators read.
pub(crate) fn failed(span: &Context) {
    span.span().set_status(Status::error(""));
}

/// Spans of tables that were built: those made once from when each began, those by date from when the first date began, as
/// long as all dates of the table took.
pub(crate) fn built(built: &[Built], began: &BTreeMap<String, SystemTime>, dates_began: Option<SystemTime>) {
    let tracer = global::tracer(serve::TRACER);
    for it in built.iter().filter(|it| it.action != transform::Action::Fresh) {
        let Some(from) = began.get(&it.table).copied().or(dates_began) else { continue };
        let attributes = [KeyValue::new("yizhan.table", it.table.clone()), KeyValue::new("yizhan.rows", it.rows)];
        let builder = tracer.span_builder("table").with_start_time(from).with_attributes(attributes);
        let mut span = tracer.build(builder);
        span.end_with_timestamp(from + Duration::try_from_secs_f64(it.seconds).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_to_an_address_without_a_secret_in_it() {
        let of = |text: &str| address(text).map(|it| it.to_string()).map_err(|it| it.to_string());
        assert_eq!(of("http://127.0.0.1:4318").as_deref(), Ok("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(of("https://traces.campus/otlp/").as_deref(), Ok("https://traces.campus/otlp/v1/traces"));
        assert_eq!(of("https://traces.campus/v1/traces").as_deref(), Ok("https://traces.campus/v1/traces"));
        for wrong in
            ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "https://me:secret@traces.campus", "https://traces.campus/?key=1"]
        {
            assert!(of(wrong).is_err_and(|it| it.contains("trace.endpoint")), "{wrong}");
        }
    }
}
