//! Reading requests: bodies within limits, paths and queries, and errors that do not repeat what was sent.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use holdfast_engine::Engine;
use holdfast_wire::ErrorCode;
use serde::de::DeserializeOwned;
use zeroize::Zeroize;

use crate::{
    errors::ApiError,
    limits::{BODY_MAX, BODY_TIME, IMPORT_BODY_MAX},
};

/// A JSON body. An empty one counts as `{}`.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        parsed(request, BODY_MAX).await.map(Self)
    }
}

/// The same for what people bring along in files.
pub struct LargeBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for LargeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        parsed(request, IMPORT_BODY_MAX).await.map(Self)
    }
}

/// A body that arrives while the vault is locked ends there: half of a passphrase is a secret, too.
async fn parsed<T: DeserializeOwned>(request: Request, max: usize) -> Result<T, ApiError> {
    let closing = request.extensions().get::<Engine>().map(Engine::next_closing);
    let closing = async move {
        match closing {
            Some(closing) => closing.await,
            None => std::future::pending().await,
        }
    };
    let read = axum::body::to_bytes(request.into_body(), max);
    let bytes = tokio::select! {
        read = tokio::time::timeout(BODY_TIME, read) => read.map_err(|_| too_slow())?.map_err(|_| too_large(max))?,
        () = closing => return Err(overtaken()),
    };
    let parsed = if bytes.is_empty() { serde_json::from_slice(b"{}") } else { serde_json::from_slice(&bytes) };
    wipe(bytes);
    parsed.map_err(|error| does_not_fit(&error))
}

/// What stands in the path, decoded.
pub struct InPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(found) = Path::from_request_parts(parts, state).await.map_err(|_| {
            let message = "The path does not fit: a part of it is not text in percent-encoded UTF-8. Nothing was done.";
            ApiError::new(ErrorCode::BadRequest, message.into(), "Encode a label as RFC 3986 section 2.1 says.")
        })?;
        Ok(Self(found))
    }
}

/// What stands in the query, decoded.
pub struct InQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(found) = Query::from_request_parts(parts, state).await.map_err(|_| {
            let message =
                "The query does not fit: a value in it is not of the kind that it should be. Nothing was done.";
            let hint = "docs/openapi.json, or GET /v1/openapi.json, says what it takes.";
            ApiError::new(ErrorCode::BadRequest, message.into(), hint)
        })?;
        Ok(Self(found))
    }
}

/// A body may hold a passphrase. When these bytes are the only owner, they are wiped.
fn wipe(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

fn overtaken() -> ApiError {
    ApiError::new(
        ErrorCode::VaultLocked,
        "The vault was locked before the body had arrived. Nothing was done.".into(),
        "Unlock the vault, then send it again.",
    )
}

fn too_slow() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "The body did not arrive in time. Nothing was done.".into(),
        "Send it at once.",
    )
}

fn too_large(max: usize) -> ApiError {
    ApiError::new(
        ErrorCode::TooLarge,
        format!("The body did not arrive whole, or is larger than {max} bytes. Nothing was done."),
        "Send less.",
    )
}

/// serde's own message may quote a value, and the value may be a secret: only messages that name members pass.
fn does_not_fit(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let what = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .find(|kind| text.starts_with(**kind))
        .map_or("the JSON is not of the form that this operation takes", |_| {
            text.split(" at line").next().unwrap_or("the JSON does not fit")
        });
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The body does not fit: {what} (line {}, column {}). Nothing was done.", error.line(), error.column()),
        "docs/openapi.json, or GET /v1/openapi.json, says what it takes.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code)]
        count: u32,
    }

    #[test]
    fn an_error_names_members_and_never_values() {
        let error =
            |json: &str| does_not_fit(&serde_json::from_str::<Sample>(json).expect_err("does not fit")).body.message;
        assert!(error(r#"{"cuont":1}"#).contains("unknown field `cuont`"));
        assert!(error("{}").contains("missing field `count`"));
        let wrong = error(r#"{"count":"MARK-passphrase"}"#);
        assert!(!wrong.contains("MARK") && wrong.contains("line 1"), "{wrong}");
    }
}
