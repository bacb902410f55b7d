//! What a provider says of an account.

use axum::{Json, extract::State};
use holdfast_model::ports::{Introspection, UserInfo};
use holdfast_wire as wire;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    errors::ApiError,
    request::InPath,
    routes::{Reply, Shared, to_its_end},
    views,
};

/// These operations.
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(introspect)).routes(routes!(userinfo))
}

/// What the provider says of the account's present access token, over or not.
#[utoipa::path(post, path = "/v1/accounts/{account}/introspect", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = wire::IntrospectionReply), (status = 502, body = wire::ErrorReply)))]
async fn introspect(State(shared): State<Shared>, InPath(account): InPath<String>) -> Reply<wire::IntrospectionReply> {
    Ok(Json(introspection(shared.engine.introspect(&account).await?)))
}

/// What the provider says of the account's person; renews the access token where that is over or not accepted.
#[utoipa::path(post, path = "/v1/accounts/{account}/userinfo", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = wire::UserInfoReply), (status = 409, body = wire::ErrorReply)))]
async fn userinfo(State(shared): State<Shared>, InPath(account): InPath<String>) -> Reply<wire::UserInfoReply> {
    let asked = to_its_end(&shared.engine, move |engine| async move { engine.userinfo(&account).await });
    match asked.await {
        Ok(said) => user_info(said).map(Json),
        Err(error) => Err(ApiError { body: crate::errors::body(&error, Some(shared.engine.now())) }),
    }
}

fn introspection(said: Introspection) -> wire::IntrospectionReply {
    wire::IntrospectionReply {
        active: said.active,
        scope: said.scopes.join(" "),
        client_id: said.client_id,
        username: said.username,
        token_type: said.token_type,
        expires_at: said.expires_at.map(views::instant),
        issued_at: said.issued_at.map(views::instant),
        not_before: said.not_before.map(views::instant),
        subject: said.subject,
        audience: said.audience,
        issuer: said.issuer,
        token_id: said.token_id,
        signed: said.signed,
    }
}

fn user_info(said: UserInfo) -> Result<wire::UserInfoReply, ApiError> {
    let claims = serde_json::from_str(&said.claims).map_err(|_| {
        let message = "What the provider says of the person is no JSON object.".to_owned();
        ApiError::new(
            wire::ErrorCode::ProviderAnswerMalformed,
            message,
            "If it repeats, tell the provider's administrator.",
        )
    })?;
    Ok(wire::UserInfoReply { subject: said.subject, username: said.username, claims, signed: said.signed })
}
