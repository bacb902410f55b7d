//! The operations that look after the vault.

use std::path::PathBuf;

use axum::{Extension, Json, extract::State, http::StatusCode};
use holdfast_engine::{Caller, Engine, NewKey, Restore, Typed};
use holdfast_model::{Passphrase, RecoveryCode, ports};
use holdfast_wire as wire;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    errors::ApiError,
    request::Body,
    routes::{Reply, Shared, current_status, to_its_end},
    views,
};

pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(check_vault))
        .routes(routes!(accept_vault))
        .routes(routes!(remove_damaged))
        .routes(routes!(backup_vault))
        .routes(routes!(restore_vault))
        .routes(routes!(rekey_vault))
        .routes(routes!(make_recovery_code))
}

fn passphrase(typed: wire::SecretText) -> Passphrase {
    Passphrase::new(typed.expose_secret().to_owned())
}

/// A path that means the same to the agent as to whoever wrote it.
fn absolute(path: &str) -> Result<PathBuf, ApiError> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        return Ok(path);
    }
    let message = "The path is not absolute. Nothing was done.".to_owned();
    Err(ApiError::new(wire::ErrorCode::BadRequest, message, "Name it from / on."))
}

/// Opens everything that the vault holds and says what is wrong with it. Changes nothing.
#[utoipa::path(post, path = "/v1/vault/check", tag = "vault",
    responses((status = 200, body = wire::CheckReport), (status = 423, body = wire::ErrorReply)))]
async fn check_vault(State(shared): State<Shared>) -> Reply<wire::CheckReport> {
    let report = shared.engine.check().await?;
    Ok(Json(views::check_report(report)))
}

/// Takes the vault as it is for the right one: an older or restored one is used from then on, records that are gone are
/// forgotten.
#[utoipa::path(post, path = "/v1/vault/accept", tag = "vault",
    responses((status = 200, body = wire::Status), (status = 423, body = wire::ErrorReply)))]
async fn accept_vault(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Reply<wire::Status> {
    to_its_end(&shared.engine, move |engine| async move { engine.accept(&caller).await }).await?;
    Ok(Json(current_status(&shared.engine).await))
}

/// Deletes a damaged record. With an account its tokens go too; they are not revoked, because nobody can tell any more
/// where they were issued. Accounts of a provider stay, and are not renewed until it is added again.
#[utoipa::path(post, path = "/v1/vault/remove-damaged", tag = "vault", request_body = wire::RemoveDamaged,
    responses((status = 200, body = wire::Status), (status = 404, body = wire::ErrorReply),
        (status = 423, body = wire::ErrorReply)))]
async fn remove_damaged(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::RemoveDamaged>,
) -> Reply<wire::Status> {
    let remove =
        move |engine: Engine| async move { engine.remove_damaged(&request.table, &request.record, &caller).await };
    to_its_end(&shared.engine, remove).await?;
    Ok(Json(current_status(&shared.engine).await))
}

/// Writes a sealed backup to a new file, and opens it again to see that it is whole.
#[utoipa::path(post, path = "/v1/vault/backup", tag = "vault", request_body = wire::MakeBackup,
    responses((status = 201, body = wire::BackupReport), (status = 403, body = wire::ErrorReply),
        (status = 422, body = wire::ErrorReply)))]
async fn backup_vault(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::MakeBackup>,
) -> Result<(StatusCode, Json<wire::BackupReport>), ApiError> {
    let to = absolute(&request.path)?;
    let (proof, own) = (request.passphrase.map(passphrase), request.backup_passphrase.map(passphrase));
    let make = move |engine: Engine| async move { engine.backup(&to, proof, own, &caller).await };
    let summary = to_its_end(&shared.engine, make).await?;
    Ok((StatusCode::CREATED, Json(views::backup_report(request.path, summary))))
}

/// Makes a vault from a backup where there is none. It is not used before it is accepted.
#[utoipa::path(post, path = "/v1/vault/restore", tag = "vault", request_body = wire::RestoreVault,
    responses((status = 201, body = wire::RestoreReport), (status = 409, body = wire::ErrorReply),
        (status = 422, body = wire::ErrorReply)))]
async fn restore_vault(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::RestoreVault>,
) -> Result<(StatusCode, Json<wire::RestoreReport>), ApiError> {
    let from = absolute(&request.path)?;
    let backup_passphrase = passphrase(request.backup_passphrase);
    let (unlock, own) = (views::unlock_method_of(request.unlock), request.passphrase.map(passphrase));
    let restore = move |engine: Engine| async move {
        let restore = Restore { from: &from, backup_passphrase, unlock, passphrase: own };
        engine.restore(restore, &caller).await
    };
    let summary = to_its_end(&shared.engine, restore).await?;
    let backup = views::backup_report(request.path, summary);
    let status = current_status(&shared.engine).await;
    Ok((StatusCode::CREATED, Json(wire::RestoreReport { backup, status })))
}

/// Seals the whole vault anew under a new key. A recovery code of before opens nothing any more.
#[utoipa::path(post, path = "/v1/vault/rekey", tag = "vault", request_body = wire::ChangeKey,
    responses((status = 200, body = wire::Status), (status = 403, body = wire::ErrorReply)))]
async fn rekey_vault(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::ChangeKey>,
) -> Reply<wire::Status> {
    let proof = typed(request.passphrase, request.recovery_code);
    let new = NewKey {
        unlock: request.unlock.map(views::unlock_method_of),
        passphrase: request.new_passphrase.map(passphrase),
    };
    to_its_end(&shared.engine, move |engine| async move { engine.rekey(proof, new, &caller).await }).await?;
    Ok(Json(current_status(&shared.engine).await))
}

/// Makes a recovery code, which opens the vault by itself. It is told this once.
#[utoipa::path(post, path = "/v1/vault/recovery-code", tag = "vault", request_body = wire::MakeRecoveryCode,
    responses((status = 201, body = wire::RecoveryCodeReply), (status = 403, body = wire::ErrorReply)))]
async fn make_recovery_code(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<wire::MakeRecoveryCode>,
) -> Result<(StatusCode, Json<wire::RecoveryCodeReply>), ApiError> {
    let proof = request.passphrase.map(passphrase);
    let make = move |engine: Engine| async move { engine.make_recovery_code(proof, &caller).await };
    let code = to_its_end(&shared.engine, make).await?;
    let recovery_code = wire::SecretText::new(code.expose_secret().to_owned());
    Ok((StatusCode::CREATED, Json(wire::RecoveryCodeReply { recovery_code })))
}

/// What was typed; a recovery code counts before a passphrase.
pub fn typed(passphrase_text: Option<wire::SecretText>, code: Option<wire::SecretText>) -> Option<Typed> {
    match code {
        Some(code) => Some(Typed::RecoveryCode(RecoveryCode::new(code.expose_secret().to_owned()))),
        None => passphrase_text.map(|text| Typed::Passphrase(passphrase(text))),
    }
}

/// Whether it is the newest state, as the wire says it.
pub const fn standing(standing: ports::Standing) -> wire::Standing {
    match standing {
        ports::Standing::Current => wire::Standing::Current,
        ports::Standing::Older { .. } => wire::Standing::Older,
        ports::Standing::Restored => wire::Standing::Restored,
        ports::Standing::Unrecorded => wire::Standing::Unrecorded,
    }
}
