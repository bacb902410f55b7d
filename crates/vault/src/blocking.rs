//! Work that computes for long.

use holdfast_crypto::with_wiped_stack;
use holdfast_model::ports::VaultError;

/// Runs it where no other task waits for it: Argon2 takes a tenth of a second and more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    tokio::task::spawn_blocking(|| with_wiped_stack(|_| work()))
        .await
        .unwrap_or_else(|_| Err(VaultError::Storage("deriving the key was interrupted".into())))
}
