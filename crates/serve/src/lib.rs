//! API and web app: the only crate that knows HTTP.
//!
//! In come requests; out go JSON and the files of the app. Every figure is read through a session of `policy`, opened
//! for the account's active role; nothing here names the lake's files or the vault's tables.

mod access;
mod app;
mod audit;
mod error;
mod imports;
mod live;
mod metrics;
mod pipelines;
mod portrait;
mod pushes;
mod rooms;
mod routes;
mod rows;
mod state;
mod traces;

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

pub use access::{note_read, principal};
pub use audit::StoreAudit;
pub use error::Error;
pub use imports::{Imports, Refusal, RefusalKind, Save, Upload, Workbook};
pub use live::{Live, LiveLimits, Students, Topic};
pub use metrics::Metrics;
pub use pipelines::{Failure, Operation, PipelineState, Pipelines, Sentence, Ticked, Urgency, Waiting, span};
pub use portrait::portrait;
pub use pushes::{Admitted, Push, PushForm, PushRefusal, PushRefusalKind, PushWarning, Pushes, StreamDoor};
pub use state::{
    Catalog, CatalogTable, ChannelWords, Config, Delivered, DemoLogin, Done, InputWords, Jobs, ListWords, MeasureWords,
    ModelWords, Order, Parts, Reading, RuleWords, SourceWords, TagWords,
};
pub use traces::TRACER;

const BODY_BYTES_MAX: usize = 1 << 20;
/// Answers from this size on are compressed.
const PACKED_BYTES_MIN: u16 = 1_024;
const REQUEST_S_MAX: u64 = 60;
/// A file may come over a slow line.
const UPLOAD_S_MAX: u64 = 600;

/// Every route, ready to be served or called in memory.
pub fn router(config: Config, parts: Parts) -> Router {
    let state = state::State::new(config, parts);
    // Files have a limit of their own, which the route keeps: its no is a sentence and no broken connection.
    let uploads = Router::new()
        .route("/import/guess", post(routes::import::guess))
        .route("/import/correct", post(routes::import::correct))
        .route_layer(middleware::from_fn(access::same_origin))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(UPLOAD_S_MAX)));
    // Devices are no browsers: they have a token, no session and no origin, and a limit of their own.
    let events = Router::new()
        .route("/events/{pipeline}", post(routes::events::push))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(REQUEST_S_MAX)));
    let api = Router::new()
        .route("/login", post(routes::login::login))
        .route("/logout", post(routes::login::logout))
        .route("/me", get(routes::login::me))
        .route("/me/choices", get(routes::choices::own).post(routes::choices::choose))
        .route("/me/help", get(routes::help::list).post(routes::help::ask))
        .route("/health", get(routes::health::health))
        .route("/cockpit", get(routes::cockpit::cockpit))
        .route("/students", get(routes::students::list))
        .route("/students/{student_key}/portrait", get(routes::portrait::portrait))
        .route("/students/{student_key}/record", get(routes::record::record))
        .route("/students/{student_key}/archive", get(routes::archive::archive))
        .route("/students/{student_key}/lineage/{measure}", get(routes::lineage::lineage))
        .route("/students/{student_key}/export", get(routes::archive::export))
        .route("/warnings", get(routes::warnings::list))
        .route("/cases", get(routes::cases::list).post(routes::cases::open))
        .route("/cases/forms", get(routes::cases::open_forms))
        .route("/cases/outcomes", get(routes::outcomes::outcomes))
        .route("/cases/{thread_key}", get(routes::cases::one))
        .route("/cases/{thread_key}/steps", post(routes::cases::step))
        .route("/cases/{thread_key}/records", post(routes::cases::record))
        .route("/cases/{thread_key}/telephone", post(routes::cases::looks::telephone))
        .route("/cases/{thread_key}/last_place", post(routes::cases::looks::last_place))
        .route("/students/{student_key}/cases", get(routes::cases::of_student))
        .route("/observations", get(routes::observations::own).post(routes::observations::write))
        .route("/observations/form", get(routes::observations::form))
        .route("/observations/week", get(routes::weekly::week).post(routes::weekly::answer))
        .route("/observations/unplaced", get(routes::observations::unplaced))
        .route("/observations/{report_key}/place", post(routes::observations::place))
        .route("/follow-ups", get(routes::follow_ups::list).post(routes::follow_ups::plan))
        .route("/follow-ups/breaks", get(routes::follow_ups::breaks))
        .route("/follow-ups/unanswered", get(routes::follow_ups::unanswered))
        .route("/follow-ups/{follow_up_key}/done", post(routes::follow_ups::done))
        .route("/hand-overs", get(routes::hand_overs::list).post(routes::hand_overs::offer))
        .route("/hand-overs/{hand_over_key}/confirm", post(routes::hand_overs::confirm))
        .route("/hand-overs/{hand_over_key}/take-over", post(routes::hand_overs::take_over))
        .route("/delegations", get(routes::delegations::list).post(routes::delegations::delegate))
        .route("/sweeps", get(routes::sweeps::list).post(routes::sweeps::open))
        .route("/sweeps/{sweep_key}", get(routes::sweeps::one))
        .route("/sweeps/{sweep_key}/answers", post(routes::sweeps::answer))
        .route("/screenings", get(routes::screenings::list).post(routes::screenings::keep))
        .route("/screenings/month", get(routes::screenings::month))
        .route("/screenings/{name}/scores", post(routes::screenings::scores))
        .route("/screenings/{name}/look", post(routes::screenings::look))
        .route("/deaths", get(routes::deaths::list).post(routes::deaths::enter))
        .route("/roster", get(routes::roster::list).post(routes::roster::keep))
        .route("/aid", get(routes::aid::list))
        .route("/referrals", get(routes::referrals::list))
        .route("/talk-hours", get(routes::talk_hours::list).post(routes::talk_hours::say))
        .route("/lists", get(routes::lists::index))
        .route("/lists/{list}", get(routes::lists::one))
        .route("/lists/visit/sheets", post(routes::visits::answer))
        .route("/lists/{list}/checks", post(routes::absences::check))
        .route("/lists/{list}/gaps", get(routes::gaps::gaps))
        .route("/ledger", get(routes::ledger::ledger))
        .route("/tickets", get(routes::tickets::tickets))
        .route("/catalog", get(routes::catalog::catalog))
        .route("/catalog/quality", get(routes::quality::quality))
        .route("/channels", get(routes::channels::list))
        .route("/notices", get(routes::notices::list))
        .route("/notices/{message_id}/acknowledge", post(routes::notices::acknowledge))
        .route("/runs", get(routes::runs::list))
        .route("/pipelines", get(routes::pipelines::list))
        .route("/me/models", get(routes::models::own))
        .route("/models", get(routes::models::list))
        .route("/models/{model}", get(routes::models::one))
        .route("/import", get(routes::import::state))
        .route("/import/preview", post(routes::import::preview))
        .route("/import/rejects", post(routes::import::rejects))
        .route("/import/save", post(routes::import::save))
        .route("/import/template/{pipeline}", get(routes::import::template))
        .route_layer(middleware::from_fn(access::same_origin))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(REQUEST_S_MAX)))
        // A run that was handed over may take longer than a request of a person.
        .route("/runs", post(routes::runs::run))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .merge(uploads)
        .merge(events)
        // It never ends by itself, so it has no time limit.
        .route("/live", get(routes::live::live))
        .fallback(error::no_such_path)
        .layer(middleware::map_response(no_store));
    Router::new()
        .nest("/api/v1", api)
        .route("/notices/{message_id}", get(routes::notices::open))
        .route("/metrics", get(routes::metrics::metrics))
        .route("/api/openapi.json", get(routes::openapi::document))
        .route("/api/{*path}", get(error::no_such_path))
        .fallback(app::file)
        .layer(middleware::map_response(security_headers))
        // A short answer goes in one packet either way, and to set up its compression costs more than a push does.
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(SizeAbove::new(PACKED_BYTES_MIN))))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn_with_state(state.clone(), metrics::count))
        .with_state(state)
}

/// Serves until `shutdown` is ready, then lets requests under way finish.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(config: Config, parts: Parts, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    let listen = config.listen.clone();
    let live = parts.live.clone();
    // Streams end first: a server that stops waits for every request under way, and they would never end.
    let shutdown = async move {
        shutdown.await;
        live.close();
    };
    let listener =
        tokio::net::TcpListener::bind(&listen).await.map_err(|source| Error::Listen { listen: listen.clone(), source })?;
    axum::serve(listener, router(config, parts))
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(|source| Error::Listen { listen, source })
}

async fn no_store(mut response: axum::response::Response) -> axum::response::Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn security_headers(mut response: axum::response::Response) -> axum::response::Response {
    let headers = [
        (
            "content-security-policy",
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
             object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
        ("cross-origin-opener-policy", "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
