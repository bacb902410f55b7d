//! Taking over what other programs keep, and tokens that are entered by hand.

use axum::{Extension, Json, extract::State, http::StatusCode};
use holdfast_engine::{
    Caller, Engine, EngineError, EnteredToken, FileKind, ImportOidcAgent, ImportOutcome, ImportReport, TokenListFormat,
    WrittenSecret, WrittenToken, kind_of,
};
use holdfast_model::{Passphrase, SecretValue};
use holdfast_wire as wire;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    errors::ApiError,
    files,
    request::{Body, LargeBody},
    routes::{Shared, to_its_end},
    views,
};

type Created<T> = Result<(StatusCode, Json<T>), ApiError>;

/// The operations of this file.
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(import_oidc_agent))
        .routes(routes!(import_tokens))
        .routes(routes!(import_file))
        .routes(routes!(enter_token))
}

/// Takes over one account of oidc-agent: uses its refresh token once, and keeps what comes back.
#[utoipa::path(post, path = "/v1/import/oidc-agent", tag = "import", request_body = wire::ImportOidcAgent,
    responses((status = 201, body = wire::ImportedAccount), (status = 422, body = wire::ErrorReply)))]
async fn import_oidc_agent(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    LargeBody(request): LargeBody<wire::ImportOidcAgent>,
) -> Created<wire::ImportedAccount> {
    let import = ImportOidcAgent {
        text: SecretValue::new(request.file.expose_secret().to_owned()),
        password: request.password.map(|password| Passphrase::new(password.expose_secret().to_owned())),
        label: request.label,
    };
    Ok((StatusCode::CREATED, Json(taken_over(&shared, import, caller).await?)))
}

async fn taken_over(
    shared: &Shared,
    import: ImportOidcAgent,
    caller: Caller,
) -> Result<wire::ImportedAccount, EngineError> {
    let report =
        to_its_end(&shared.engine, move |engine| async move { engine.import_oidc_agent(import, &caller).await });
    let report = report.await?;
    let account = views::account(shared.engine.account(&report.account.to_string())?);
    let outcome = match report.outcome {
        ImportOutcome::Imported => wire::ImportOutcome::Imported,
        ImportOutcome::Replaced => wire::ImportOutcome::Replaced,
        ImportOutcome::AlreadyThere => wire::ImportOutcome::AlreadyThere,
    };
    let notes = notes(&report, &account);
    Ok(wire::ImportedAccount {
        account,
        outcome,
        provider_added: report.provider_added,
        rotated: report.rotated,
        notes,
    })
}

/// What a person has to know of an account that was taken over.
fn notes(report: &ImportReport, account: &wire::AccountView) -> Vec<String> {
    let name = &report.name;
    let mut notes = Vec::new();
    if report.outcome == ImportOutcome::AlreadyThere {
        notes.push("This file was imported before. Nothing was sent, and nothing was changed.".to_owned());
    }
    notes.push(match report.rotated {
        true => format!(
            "The provider gave a new refresh token, so the one in oidc-agent's file is spent: oidc-agent cannot use it any \
             more. Have oidc-agent forget the account (oidc-add --remove {name}) and delete the file. Do not use oidc-gen \
             --delete: it asks the provider to end the session."
        ),
        false => format!(
            "The provider did not change the refresh token, so oidc-agent holds the same one: ending it there ends it here. \
             Have oidc-agent forget the account (oidc-add --remove {name}) and delete the file, not with oidc-gen --delete."
        ),
    });
    if account.subject.is_empty() {
        notes.push(
            "The provider did not say whose account this is. Another import of the same person makes a second one."
                .into(),
        );
    }
    if let Some(path) = &report.cert_path {
        notes.push(format!(
            "oidc-agent trusted the certificate authorities in {path}. Holdfast trusts those of the system and those \
             that ca_files names in config.toml; name that file there when the provider's certificate is refused."
        ));
    }
    if let Some(audience) = &report.audience {
        notes.push(format!(
            "oidc-agent asked for tokens for the audience {audience}. Holdfast takes the provider's own."
        ));
    }
    notes
}

/// Keeps all tokens of a list, or none.
#[utoipa::path(post, path = "/v1/import/tokens", tag = "import", request_body = wire::ImportTokens,
    responses((status = 201, body = wire::ImportedTokens), (status = 422, body = wire::ErrorReply)))]
async fn import_tokens(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    LargeBody(request): LargeBody<wire::ImportTokens>,
) -> Created<wire::ImportedTokens> {
    let format = match request.format {
        wire::TokenListFormat::Csv => TokenListFormat::Csv,
        wire::TokenListFormat::Json => TokenListFormat::Json,
    };
    let tokens = kept(&shared, request.list, format, caller).await?;
    Ok((StatusCode::CREATED, Json(wire::ImportedTokens { tokens })))
}

async fn kept(
    shared: &Shared,
    list: wire::SecretText,
    format: TokenListFormat,
    caller: Caller,
) -> Result<Vec<wire::EnteredToken>, EngineError> {
    let import = move |engine: Engine| async move { engine.import_tokens(list.expose_secret(), format, &caller).await };
    let kept = to_its_end(&shared.engine, import).await?;
    kept.into_iter().map(|token| entered(&shared.engine, token)).collect()
}

/// Imports a file that the agent opens itself: an account file of oidc-agent, a list of tokens or a provider file.
#[utoipa::path(post, path = "/v1/import/file", tag = "import", request_body = wire::ImportFile,
    responses((status = 201, body = wire::ImportedFile), (status = 422, body = wire::ErrorReply)))]
async fn import_file(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::ImportFile>,
) -> Created<wire::ImportedFile> {
    let mut text = shared.files.text_of(&shared.engine, &request.path).await?;
    let kind = kind_of(&request.path, &text).ok_or_else(|| of_no_kind(&request.path))?;
    let mut text = || std::mem::take(&mut *text);
    let imported = match kind {
        FileKind::OidcAgent => {
            let password = request.password.map(|password| Passphrase::new(password.expose_secret().to_owned()));
            let import = ImportOidcAgent { text: SecretValue::new(text()), password, label: None };
            wire::ImportedFile::OidcAgent { imported: Box::new(taken_over(&shared, import, caller).await?) }
        }
        FileKind::TokenCsv | FileKind::TokenJson => {
            let csv = kind == FileKind::TokenCsv;
            let format = if csv { TokenListFormat::Csv } else { TokenListFormat::Json };
            let list = wire::SecretText::new(text());
            wire::ImportedFile::Tokens { tokens: kept(&shared, list, format, caller).await? }
        }
        FileKind::Providers => {
            let toml = text();
            let import = move |engine: Engine| async move { engine.import_providers(&toml).await };
            let added = to_its_end(&shared.engine, import).await;
            let added = added.map_err(|error| of_provider_file(error, &files::shown(&request.path)))?;
            let now = shared.engine.now();
            let providers = added.into_iter().map(|provider| views::provider(provider, now)).collect();
            wire::ImportedFile::Providers { providers }
        }
    };
    Ok((StatusCode::CREATED, Json(imported)))
}

/// What is wrong with a provider file is named already; what is left to say is where.
pub(crate) fn of_provider_file(error: EngineError, file: &str) -> ApiError {
    let in_the_file = matches!(error, EngineError::ProviderInvalid(_));
    let mut error = ApiError::from(error);
    if in_the_file {
        let hint =
            format!("Nothing was imported. Correct that place of {file}; docs/providers.md describes the format.");
        error.body.hint = Some(hint);
    }
    error
}

fn of_no_kind(path: &str) -> ApiError {
    let message = format!("{} is none of the files that can be imported. Nothing was.", files::shown(path));
    let hint = "Account files of oidc-agent, lists of tokens with a header row or as JSON, and provider files can be: \
                docs/import.md describes them.";
    ApiError::new(wire::ErrorCode::ImportInvalid, message, hint)
}

/// Keeps a token that a person made at a service.
#[utoipa::path(post, path = "/v1/static-tokens", tag = "import", request_body = wire::EnterToken,
    responses((status = 201, body = wire::EnteredToken), (status = 422, body = wire::ErrorReply)))]
async fn enter_token(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    LargeBody(request): LargeBody<wire::EnterToken>,
) -> Created<wire::EnteredToken> {
    let written = WrittenToken {
        label: request.label,
        service: request.service,
        token: WrittenSecret::new(request.token.expose_secret().to_owned()),
        username: request.username,
        expires_at: request.expires_at,
        created_at: request.created_at,
        note: request.note,
        url: request.url,
    };
    let enter = move |engine: Engine| async move { engine.enter_token(written, &caller).await };
    let token = to_its_end(&shared.engine, enter).await?;
    Ok((StatusCode::CREATED, Json(entered(&shared.engine, token)?)))
}

fn entered(engine: &Engine, token: EnteredToken) -> Result<wire::EnteredToken, EngineError> {
    let outcome = match (token.unchanged, token.replaced) {
        (true, _) => wire::EnterOutcome::Unchanged,
        (false, true) => wire::EnterOutcome::Replaced,
        (false, false) => wire::EnterOutcome::Added,
    };
    Ok(wire::EnteredToken { account: views::account(engine.account(&token.account.to_string())?), outcome })
}
