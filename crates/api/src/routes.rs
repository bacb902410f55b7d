//! The operations of `/v1`: each one call of the engine.

use std::convert::Infallible;

use axum::{
    Extension, Json,
    body::Body as AnyBody,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use holdfast_engine::{Caller, Engine, EngineError, NewProvider, ProofDemand, SignOutKind, TokenDemand, Wanted};
use holdfast_model::{
    AuditAction, ClientAuthentication, ClientSecret, Endpoints, Passphrase, PersonPointers, Protocol, ProviderName,
    ProviderOrigin, SecretValue, SignInId, UnixMillis, ports::AuditFilter,
};
use holdfast_wire as wire;
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    errors::ApiError,
    in_parts::Parts,
    limits::{EVENT_READERS_MAX, LOG_MAX, WAIT_MAX_S},
    request::{Body, InPath, InQuery},
    sign_outs, views,
};

pub(crate) type Reply<T> = Result<Json<T>, ApiError>;

/// What handlers share.
#[derive(Clone)]
pub struct Shared {
    pub engine: Engine,
    /// Told when a client asks the agent to stop.
    pub stop: std::sync::Arc<Notify>,
    /// How files that a client names are read.
    pub files: crate::Files,
    /// Places for readers of events.
    pub readers: std::sync::Arc<Semaphore>,
}

/// Every operation with its description.
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(events))
        .routes(routes!(init_vault))
        .routes(routes!(unlock_vault))
        .routes(routes!(lock_vault))
        .routes(routes!(list_providers, add_provider))
        .routes(routes!(import_providers))
        .routes(routes!(show_provider, remove_provider))
        .routes(routes!(start_sign_in))
        .routes(routes!(hand_over))
        .routes(routes!(show_sign_in, cancel_sign_in))
        .routes(routes!(list_accounts))
        .merge(crate::added::router())
        .routes(routes!(show_account, remove_account))
        .routes(routes!(token))
        .routes(routes!(dpop_proof))
        .merge(crate::inspection::router())
        .routes(routes!(refresh))
        .routes(routes!(revoke))
        .routes(routes!(sign_out))
        .routes(routes!(sign_out_all))
        .merge(crate::browser_sign_outs::router())
        .merge(crate::care::router())
        .merge(crate::imports::router())
        .merge(crate::profiles::router())
        .routes(routes!(log))
        .routes(routes!(stop_agent))
}

/// The agent and its vault.
#[utoipa::path(get, path = "/v1/status", tag = "agent", responses((status = 200, body = wire::Status)))]
async fn status(State(shared): State<Shared>) -> Json<wire::Status> {
    Json(current_status(&shared.engine).await)
}

pub(crate) async fn current_status(engine: &Engine) -> wire::Status {
    views::status(engine.status().await, engine.now())
}

/// A snapshot, then numbered changes, one JSON object a line.
#[utoipa::path(get, path = "/v1/events", tag = "agent",
    responses((status = 200, body = wire::Event, content_type = "application/x-ndjson"),
        (status = 503, body = wire::ErrorReply)))]
async fn events(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let place = shared.readers.try_acquire_owned().map_err(|_| {
        ApiError::new(
            wire::ErrorCode::TooMany,
            format!("{EVENT_READERS_MAX} programs read the events already. This stream was not begun."),
            "End one of them and try again; a reader that takes nothing is cut off by and by.",
        )
    })?;
    Ok(crate::events::stream(shared.engine, place))
}

/// Asks the agent to stop once everything is written.
#[utoipa::path(post, path = "/v1/agent/stop", tag = "agent", responses((status = 202)))]
async fn stop_agent(State(shared): State<Shared>) -> StatusCode {
    shared.stop.notify_one();
    StatusCode::ACCEPTED
}

/// Makes a vault and opens it.
#[utoipa::path(post, path = "/v1/vault/init", tag = "vault", request_body = wire::InitVault,
    responses((status = 200, body = wire::Status), (status = 409, body = wire::ErrorReply)))]
async fn init_vault(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::InitVault>,
) -> Reply<wire::Status> {
    let passphrase = request.passphrase.map(|typed| Passphrase::new(typed.expose_secret().to_owned()));
    let unlock = views::unlock_method_of(request.unlock);
    to_its_end(&shared.engine, move |engine| async move { engine.init(unlock, passphrase, &caller).await }).await?;
    Ok(Json(current_status(&shared.engine).await))
}

/// Opens the vault.
#[utoipa::path(post, path = "/v1/vault/unlock", tag = "vault", request_body = wire::UnlockVault,
    responses((status = 200, body = wire::Status), (status = 403, body = wire::ErrorReply)))]
async fn unlock_vault(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::UnlockVault>,
) -> Reply<wire::Status> {
    let typed = crate::care::typed(request.passphrase, request.recovery_code);
    to_its_end(&shared.engine, move |engine| async move { engine.unlock(typed, &caller).await }).await?;
    Ok(Json(current_status(&shared.engine).await))
}

/// Closes the vault; its key is gone from memory when the reply arrives.
#[utoipa::path(post, path = "/v1/vault/lock", tag = "vault", responses((status = 200, body = wire::Status)))]
async fn lock_vault(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Reply<wire::Status> {
    to_its_end(&shared.engine, move |engine| async move { engine.lock(&caller).await }).await?;
    Ok(Json(current_status(&shared.engine).await))
}

/// All providers by name.
#[utoipa::path(get, path = "/v1/providers", tag = "providers", responses((status = 200, body = wire::ProviderList)))]
async fn list_providers(State(shared): State<Shared>) -> Json<wire::ProviderList> {
    let now = shared.engine.now();
    let view = |provider| views::provider(provider, now);
    Json(wire::ProviderList { providers: shared.engine.providers().into_iter().map(view).collect() })
}

/// Looks a provider up at its issuer, and keeps it when its metadata holds; registers a client there where that is asked for.
#[utoipa::path(post, path = "/v1/providers", tag = "providers", request_body = wire::AddProvider,
    responses((status = 201, body = wire::ProviderView), (status = 422, body = wire::ErrorReply)))]
async fn add_provider(
    State(shared): State<Shared>,
    Body(request): Body<wire::AddProvider>,
) -> Result<(StatusCode, Json<wire::ProviderView>), ApiError> {
    let allowed = request.initial_access_token.clone();
    let register = request.register;
    if allowed.is_some() && !register {
        let text = "An initial access token is for registering a client, and none is to be registered.";
        return Err(EngineError::ProviderInvalid(text.into()).into());
    }
    let new = new_provider(with_its_file(&shared, request).await?)?;
    let add = move |engine: Engine| async move {
        match register {
            true => {
                let allowed = allowed.map(|token| SecretValue::new(token.expose_secret().to_owned()));
                engine.register_provider(new.provider, allowed).await
            }
            false => engine.add_provider(new).await,
        }
    };
    let kept = to_its_end(&shared.engine, add).await?;
    Ok((StatusCode::CREATED, Json(views::provider(kept, shared.engine.now()))))
}

/// What the file holds that is named in the place of a secret.
async fn with_its_file(shared: &Shared, mut request: wire::AddProvider) -> Result<wire::AddProvider, ApiError> {
    let Some(path) = request.client_secret_path.take() else { return Ok(request) };
    if request.client_secret.is_some() {
        let text = "The client secret is given itself, and as a file. Leave one of them out.";
        return Err(EngineError::ProviderInvalid(text.into()).into());
    }
    // Whoever asks shall not be able to have any file sent to where they say: what such a client sends is never what it holds.
    use wire::ClientAuthentication as A;
    if !matches!(request.client_authentication, Some(A::PrivateKeyJwt | A::TlsClientAuth)) {
        let text = "A file is for a client that proves itself by a key or a certificate. Give a secret itself.";
        return Err(EngineError::ProviderInvalid(text.into()).into());
    }
    let text = shared.files.text_of(&shared.engine, &path).await.map_err(ApiError::about_a_key)?;
    request.client_secret = Some(wire::SecretText::new(text.trim().to_owned()));
    Ok(request)
}

fn new_provider(request: wire::AddProvider) -> Result<NewProvider, ApiError> {
    let name: ProviderName = request.name.parse().map_err(|error: holdfast_model::ProviderNameError| {
        let code = wire::ErrorCode::ProviderInvalid;
        ApiError::new(code, format!("The name does not fit: {error}. Nothing was kept."), "Choose another name.")
    })?;
    let secret = request.client_secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
    let wanted = Wanted {
        profile: request.profile,
        variables: request.variables,
        display_name: request.display_name,
        issuer: request.issuer,
        metadata_url: request.metadata_url,
        client_id: request.client_id.unwrap_or_default(),
        register: request.register,
        client_authentication: request.client_authentication.map(|authentication| match authentication {
            wire::ClientAuthentication::None => ClientAuthentication::None,
            wire::ClientAuthentication::ClientSecretBasic => ClientAuthentication::ClientSecretBasic,
            wire::ClientAuthentication::ClientSecretPost => ClientAuthentication::ClientSecretPost,
            wire::ClientAuthentication::PrivateKeyJwt => ClientAuthentication::PrivateKeyJwt,
            wire::ClientAuthentication::ClientSecretJwt => ClientAuthentication::ClientSecretJwt,
            wire::ClientAuthentication::TlsClientAuth => ClientAuthentication::TlsClientAuth,
        }),
        assertion_audience: request.assertion_audience,
        client_key_id: request.client_key_id,
        dpop: request.dpop,
        has_secret: secret.is_some(),
        redirect_uri: request.redirect_uri,
        post_logout_redirect_uri: request.post_logout_redirect_uri,
        scopes: request.scopes,
        refresh_absolute_s: request.refresh_absolute_s,
        refresh_sliding_s: request.refresh_sliding_s,
        access_lifetime_s: request.access_lifetime_s,
        extra: request.extra,
        protocol: request.protocol.map(|protocol| match protocol {
            wire::Protocol::Oidc => Protocol::Oidc,
            wire::Protocol::Oauth2 => Protocol::Oauth2,
        }),
        endpoints: Endpoints {
            authorization: request.endpoints.authorization,
            token: request.endpoints.token,
            device_authorization: request.endpoints.device_authorization,
            revocation: request.endpoints.revocation,
            introspection: request.endpoints.introspection,
            userinfo: request.endpoints.userinfo,
            jwks: request.endpoints.jwks,
            end_session: request.endpoints.end_session,
        },
        person: request.person.map(|wire::PersonPointers { subject, username }| PersonPointers { subject, username }),
        revoking: request.revocation.map(crate::revoking::asked),
    };
    Ok(NewProvider { provider: wanted.provider(name, ProviderOrigin::Added)?, secret })
}

/// Adds all providers of a file, or none.
#[utoipa::path(post, path = "/v1/providers/import", tag = "providers", request_body = wire::ImportProviders,
    responses((status = 201, body = wire::ProviderList), (status = 422, body = wire::ErrorReply)))]
async fn import_providers(
    State(shared): State<Shared>,
    Body(request): Body<wire::ImportProviders>,
) -> Result<(StatusCode, Json<wire::ProviderList>), ApiError> {
    let import = move |engine: Engine| async move { engine.import_providers(&request.toml).await };
    let kept = to_its_end(&shared.engine, import).await;
    let kept = kept.map_err(|error| crate::imports::of_provider_file(error, "the file"))?;
    let now = shared.engine.now();
    let providers = kept.into_iter().map(|provider| views::provider(provider, now)).collect();
    Ok((StatusCode::CREATED, Json(wire::ProviderList { providers })))
}

/// One provider.
#[utoipa::path(get, path = "/v1/providers/{provider}", tag = "providers", params(("provider" = String, Path)),
    responses((status = 200, body = wire::ProviderView), (status = 404, body = wire::ErrorReply)))]
async fn show_provider(State(shared): State<Shared>, InPath(name): InPath<String>) -> Reply<wire::ProviderView> {
    Ok(Json(views::provider(shared.engine.provider(&name)?, shared.engine.now())))
}

/// Removes a provider that no signed-in account uses.
#[utoipa::path(delete, path = "/v1/providers/{provider}", tag = "providers", params(("provider" = String, Path)),
    responses((status = 204), (status = 404, body = wire::ErrorReply), (status = 409, body = wire::ErrorReply)))]
async fn remove_provider(State(shared): State<Shared>, InPath(name): InPath<String>) -> Result<StatusCode, ApiError> {
    to_its_end(&shared.engine, move |engine| async move { engine.remove_provider(&name).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts a sign-in; the caller opens its address in the system browser, or shows the person its code.
#[utoipa::path(post, path = "/v1/sign-ins", tag = "sign-ins", request_body = wire::StartSignIn,
    responses((status = 201, body = wire::SignInView), (status = 404, body = wire::ErrorReply)))]
async fn start_sign_in(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::StartSignIn>,
) -> Result<(StatusCode, Json<wire::SignInView>), ApiError> {
    let start = holdfast_engine::StartSignIn {
        provider: request.provider,
        label: request.label,
        scopes: request.scopes,
        wait_ms: request.timeout_s.map(|s| i64::try_from(s).unwrap_or(i64::MAX).saturating_mul(1000)),
        device: request.device,
    };
    let started = shared.engine.start_sign_in(start, &caller).await?;
    Ok((StatusCode::CREATED, Json(views::sign_in(started))))
}

/// Gives an address of Holdfast's own scheme, which the system handed over, to the sign-in that waits for it.
#[utoipa::path(post, path = "/v1/sign-ins/callback", tag = "sign-ins", request_body = wire::SignInCallback,
    responses((status = 204), (status = 409, body = wire::ErrorReply)))]
async fn hand_over(
    State(shared): State<Shared>,
    Body(request): Body<wire::SignInCallback>,
) -> Result<StatusCode, ApiError> {
    let url = SecretValue::new(request.url.expose_secret().to_owned());
    to_its_end(&shared.engine, move |engine| async move { engine.hand_over(url).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(crate) struct Wait {
    /// Seconds to wait for an end, at most 60.
    #[serde(default)]
    wait_s: u64,
}

impl Wait {
    /// In milliseconds, as far as anybody may wait.
    pub fn millis(&self) -> i64 {
        i64::try_from(self.wait_s.min(WAIT_MAX_S) * 1000).unwrap_or(0)
    }
}

fn sign_in_id(text: &str) -> Result<SignInId, ApiError> {
    text.parse().map_err(|_| EngineError::SignInNotFound.into())
}

/// One sign-in; with `wait_s` at its end, if that comes in time.
#[utoipa::path(get, path = "/v1/sign-ins/{id}", tag = "sign-ins", params(("id" = String, Path), Wait),
    responses((status = 200, body = wire::SignInView), (status = 404, body = wire::ErrorReply)))]
async fn show_sign_in(
    State(shared): State<Shared>,
    InPath(id): InPath<String>,
    InQuery(wait): InQuery<Wait>,
) -> Reply<wire::SignInView> {
    let wait_ms = wait.millis();
    let id = sign_in_id(&id)?;
    let view = if wait_ms == 0 { shared.engine.sign_in(id)? } else { shared.engine.sign_in_end(id, wait_ms).await? };
    Ok(Json(views::sign_in(view)))
}

/// Cancels a sign-in that still waits.
#[utoipa::path(delete, path = "/v1/sign-ins/{id}", tag = "sign-ins", params(("id" = String, Path)),
    responses((status = 200, body = wire::SignInView), (status = 404, body = wire::ErrorReply)))]
async fn cancel_sign_in(State(shared): State<Shared>, InPath(id): InPath<String>) -> Reply<wire::SignInView> {
    let id = sign_in_id(&id)?;
    let cancelled = to_its_end(&shared.engine, move |engine| async move { engine.cancel_sign_in(id).await }).await?;
    Ok(Json(views::sign_in(cancelled)))
}

/// All accounts by label.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts",
    responses((status = 200, body = wire::AccountList), (status = 423, body = wire::ErrorReply)))]
async fn list_accounts(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let accounts = shared.engine.accounts()?;
    let whole = wire::AccountList { accounts: Vec::new(), server_now: views::instant(shared.engine.now()) };
    let mut parts = Parts::of(&whole, accounts);
    let first = parts.next().unwrap_or_default();
    // What fits into one part has a length, which the simplest clients like better.
    let body = if parts.is_over() {
        AnyBody::from(first)
    } else {
        AnyBody::from_stream(stream::iter(std::iter::once(first).chain(parts).map(Ok::<_, Infallible>)))
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// One account by id or label.
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = wire::AccountView), (status = 404, body = wire::ErrorReply)))]
async fn show_account(State(shared): State<Shared>, InPath(account): InPath<String>) -> Reply<wire::AccountView> {
    Ok(Json(views::account(shared.engine.account(&account)?)))
}

/// Signs out of an account and removes its row.
#[utoipa::path(delete, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = wire::SignOutReport), (status = 404, body = wire::ErrorReply)))]
async fn remove_account(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(account): InPath<String>,
) -> Reply<wire::SignOutReport> {
    let report =
        to_its_end(&shared.engine, move |engine| async move { engine.remove(&account, &caller).await }).await?;
    Ok(Json(sign_outs::report(report, shared.engine.now())))
}

/// An access token that is valid for at least `min_valid_s` seconds.
#[utoipa::path(post, path = "/v1/accounts/{account}/token", tag = "accounts", params(("account" = String, Path)),
    request_body = wire::TokenRequest,
    responses((status = 200, body = wire::TokenReply), (status = 409, body = wire::ErrorReply)))]
async fn token(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(account): InPath<String>,
    Body(request): Body<wire::TokenRequest>,
) -> Reply<wire::TokenReply> {
    let demand = token_demand(request);
    let handed = match shared.engine.token(&account, &demand, &caller).await {
        Ok(handed) => handed,
        Err(error) => return Err(ApiError { body: crate::errors::body(&error, Some(shared.engine.now())) }),
    };
    Ok(Json(wire::TokenReply {
        access_token: wire::SecretText::new(handed.token.expose_secret().to_owned()),
        token_type: handed.credential.token_type.clone(),
        expires_at: handed.credential.lifetime.effective_end().map(views::instant),
        expires_in_s: handed.expires_in_s(shared.engine.now()),
        scope: handed.credential.scopes.join(" "),
        fingerprint: handed.credential.fingerprint.to_string(),
        account: handed.credential.account.to_string(),
    }))
}

fn token_demand(request: wire::TokenRequest) -> TokenDemand {
    TokenDemand {
        min_valid_s: request.min_valid_s,
        scopes: request.scope.iter().flat_map(|scope| scope.split_ascii_whitespace()).map(str::to_owned).collect(),
        narrow: request.narrow,
        audience: request.audience,
        resource: request.resource,
    }
}

/// A proof for one request with the account's access token.
#[utoipa::path(post, path = "/v1/accounts/{account}/dpop-proof", tag = "accounts", params(("account" = String, Path)),
    request_body = wire::ProofRequest,
    responses((status = 200, body = wire::ProofReply), (status = 422, body = wire::ErrorReply)))]
async fn dpop_proof(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(account): InPath<String>,
    Body(request): Body<wire::ProofRequest>,
) -> Reply<wire::ProofReply> {
    let token = token_demand(request.token);
    let demand = ProofDemand { method: request.method, url: request.url, nonce: request.nonce, token };
    match shared.engine.dpop_proof(&account, &demand, &caller).await {
        Ok(made) => Ok(Json(wire::ProofReply { proof: made.proof, fingerprint: made.fingerprint.to_string() })),
        Err(error) => Err(ApiError { body: crate::errors::body(&error, Some(shared.engine.now())) }),
    }
}

/// Renews an account now.
#[utoipa::path(post, path = "/v1/accounts/{account}/refresh", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = wire::AccountView), (status = 409, body = wire::ErrorReply)))]
async fn refresh(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(account): InPath<String>,
) -> Reply<wire::AccountView> {
    let renewed = to_its_end(&shared.engine, move |engine| async move {
        engine.renew(&account, &caller).await?;
        engine.account(&account)
    });
    match renewed.await {
        Ok(account) => Ok(Json(views::account(account))),
        Err(error) => Err(ApiError { body: crate::errors::body(&error, Some(shared.engine.now())) }),
    }
}

/// Has the provider refuse the account's tokens, and forgets them here.
#[utoipa::path(post, path = "/v1/accounts/{account}/revoke", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = wire::SignOutReport), (status = 404, body = wire::ErrorReply)))]
async fn revoke(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(account): InPath<String>,
) -> Reply<wire::SignOutReport> {
    let report = to_its_end(&shared.engine, move |engine| async move {
        engine.sign_out(&account, SignOutKind::Revoke, &caller).await
    })
    .await?;
    Ok(Json(sign_outs::report(report, shared.engine.now())))
}

/// Signs out of one account.
#[utoipa::path(post, path = "/v1/accounts/{account}/sign-out", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = wire::SignOutReport), (status = 404, body = wire::ErrorReply)))]
async fn sign_out(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(account): InPath<String>,
) -> Reply<wire::SignOutReport> {
    let report = to_its_end(&shared.engine, move |engine| async move {
        engine.sign_out(&account, SignOutKind::SignOut, &caller).await
    })
    .await?;
    Ok(Json(sign_outs::report(report, shared.engine.now())))
}

/// Signs out of every account.
#[utoipa::path(post, path = "/v1/sign-out", tag = "accounts",
    responses((status = 200, body = Vec<wire::SignOutReport>), (status = 423, body = wire::ErrorReply)))]
async fn sign_out_all(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Reply<Vec<wire::SignOutReport>> {
    let reports = to_its_end(&shared.engine, move |engine| async move { engine.sign_out_all(&caller).await }).await?;
    let now = shared.engine.now();
    Ok(Json(reports.into_iter().map(|report| sign_outs::report(report, now)).collect()))
}

/// Runs an operation that changes something in a task of its own: a client that hangs up must not stop it halfway.
pub(crate) async fn to_its_end<T, F>(engine: &Engine, act: impl FnOnce(Engine) -> F) -> Result<T, EngineError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, EngineError>> + Send + 'static,
{
    let ended = tokio::spawn(act(engine.clone())).await;
    ended.unwrap_or(Err(EngineError::Internal("an operation ended without a result")))
}

#[derive(Deserialize, utoipa::IntoParams)]
struct Which {
    /// Only this account, by id or label.
    account: Option<String>,
    /// How many of the newest lines; 200 when missing.
    limit: Option<u32>,
    /// Only lines of this kind: `renewed`, `token_handed_out` and so on.
    action: Option<String>,
    /// Only lines from this instant on (RFC 3339).
    #[param(value_type = Option<String>)]
    since: Option<wire::Timestamp>,
    /// Only lines before this instant (RFC 3339).
    #[param(value_type = Option<String>)]
    until: Option<wire::Timestamp>,
}

fn audit_action(word: &str) -> Result<AuditAction, ApiError> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|_| {
        let message = format!("The log has no lines of the kind {word:?}.");
        ApiError::new(wire::ErrorCode::BadRequest, message, "holdfast log shows the kinds that there are.")
    })
}

/// The newest lines of the audit log, oldest first. Lines that are missing or were changed are told.
#[utoipa::path(get, path = "/v1/log", tag = "log", params(Which),
    responses((status = 200, body = wire::LogReply), (status = 423, body = wire::ErrorReply)))]
async fn log(State(shared): State<Shared>, InQuery(which): InQuery<Which>) -> Reply<wire::LogReply> {
    let limit = which.limit.unwrap_or(200).min(LOG_MAX);
    let instant = |at: Option<wire::Timestamp>| at.map(|at| UnixMillis::from_millis(at.as_millisecond()));
    let filter = AuditFilter {
        account: None,
        actions: which.action.as_deref().map(audit_action).transpose()?.into_iter().collect(),
        since: instant(which.since),
        until: instant(which.until),
        limit,
    };
    let lines = shared.engine.log(which.account.as_deref(), filter).await?;
    Ok(Json(views::log(lines)))
}
