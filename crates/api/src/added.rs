//! Adding accounts that nobody signs in to.

use axum::{Extension, Json, extract::State, http::StatusCode};
use holdfast_engine::{Caller, Engine, MadeFrom, NewAccount};
use holdfast_model::{SecretValue, Statement, Target};
use holdfast_wire as wire;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    errors::ApiError,
    request::Body,
    routes::{Shared, to_its_end},
    views,
};

/// The operations of this file.
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(add_account))
}

/// Adds an account that nobody signs in to: client credentials, token exchange, or a signed statement.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = wire::AddAccount,
    responses((status = 201, body = wire::AddedAccount), (status = 422, body = wire::ErrorReply)))]
async fn add_account(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::AddAccount>,
) -> Result<(StatusCode, Json<wire::AddedAccount>), ApiError> {
    let new = NewAccount {
        provider: request.provider,
        label: request.label,
        made_from: made_from(request.source),
        target: Target { scopes: request.scopes, audience: request.audience, resource: request.resource },
    };
    let add = move |engine: Engine| async move { engine.add_account(new, &caller).await };
    let added = to_its_end(&shared.engine, add).await?;
    let account = views::account(shared.engine.account(&added.account.to_string())?);
    Ok((StatusCode::CREATED, Json(wire::AddedAccount { account, replaced: added.replaced })))
}

fn made_from(source: wire::AddedFrom) -> MadeFrom {
    match source {
        wire::AddedFrom::ClientCredentials {} => MadeFrom::Client,
        wire::AddedFrom::TokenExchange { parent, subject_token_type, requested_token_type } => {
            MadeFrom::Account { parent, subject_type: subject_token_type, requested_type: requested_token_type }
        }
        wire::AddedFrom::JwtBearer { key, issuer, subject, assertion_audience, key_id } => MadeFrom::Statement {
            statement: Statement { issuer, subject, audience: assertion_audience, key_id },
            key: SecretValue::new(key.expose_secret().to_owned()),
        },
    }
}
