//! Signing out of an account and, in the person's browser, of its provider.

use axum::{Extension, Json, extract::State};
use holdfast_engine::{BrowserSignOut, BrowserSignOutStage, Caller, EngineError};
use holdfast_model::BrowserSignOutId;
use holdfast_wire as wire;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    errors::body,
    request::{InPath, InQuery},
    routes::{Reply, Shared, Wait, to_its_end},
    sign_outs,
    views::instant,
};

/// These operations.
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(sign_out_with_browser)).routes(routes!(show_browser_sign_out))
}

/// Signs out of one account, and prepares the address at which the person's browser ends its session at the provider.
#[utoipa::path(post, path = "/v1/accounts/{account}/browser-sign-out", tag = "accounts",
    params(("account" = String, Path)),
    responses((status = 200, body = wire::BrowserSignOutReply), (status = 404, body = wire::ErrorReply)))]
async fn sign_out_with_browser(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(account): InPath<String>,
) -> Reply<wire::BrowserSignOutReply> {
    let (report, way) =
        to_its_end(&shared.engine, move |engine| async move { engine.sign_out_with_browser(&account, &caller).await })
            .await?;
    let (browser, error) = match way {
        Ok(way) => (Some(view(way)), None),
        Err(error) => (None, Some(body(&error, None))),
    };
    Ok(Json(wire::BrowserSignOutReply { report: sign_outs::report(report, shared.engine.now()), browser, error }))
}

/// How far a browser has come; with `wait_s` at its end, if that comes in time.
#[utoipa::path(get, path = "/v1/browser-sign-outs/{id}", tag = "accounts", params(("id" = String, Path), Wait),
    responses((status = 200, body = wire::BrowserSignOutView), (status = 404, body = wire::ErrorReply)))]
async fn show_browser_sign_out(
    State(shared): State<Shared>,
    InPath(id): InPath<String>,
    InQuery(wait): InQuery<Wait>,
) -> Reply<wire::BrowserSignOutView> {
    let id: BrowserSignOutId = id.parse().map_err(|_| EngineError::BrowserSignOutNotFound)?;
    Ok(Json(view(match wait.millis() {
        0 => shared.engine.browser_sign_out(id)?,
        wait_ms => shared.engine.browser_sign_out_end(id, wait_ms).await?,
    })))
}

fn view(way: BrowserSignOut) -> wire::BrowserSignOutView {
    wire::BrowserSignOutView {
        id: way.id.to_string(),
        provider: way.provider,
        at: way.at,
        stage: match way.stage {
            BrowserSignOutStage::Waiting => wire::BrowserSignOutStage::Waiting,
            BrowserSignOutStage::AtProvider => wire::BrowserSignOutStage::AtProvider,
            BrowserSignOutStage::Returned => wire::BrowserSignOutStage::Returned,
            BrowserSignOutStage::Left => wire::BrowserSignOutStage::Left,
            BrowserSignOutStage::NotOpened => wire::BrowserSignOutStage::NotOpened,
        },
        url: way.url,
        comes_back: way.comes_back,
        expires_at: instant(way.expires_at),
    }
}
