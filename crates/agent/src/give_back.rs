//! Memory that was needed once goes back to the system.
//!
//! The allocator keeps what was freed in the middle of its heap. After an unlock of many accounts, and after their lock,
//! that is most of what the agent takes, and it would keep it for days.

use holdfast_engine::Engine;
use holdfast_model::{Change, VaultState};
use tokio::sync::broadcast::error::RecvError;

/// Gives it back after each unlock and each lock, as long as the engine lives.
pub fn after_unlock_and_lock(engine: &Engine) {
    let mut changes = engine.changes();
    tokio::spawn(async move {
        loop {
            match changes.recv().await {
                Ok(Change::Vault(VaultState::Unlocked | VaultState::Locked)) => {
                    // It walks the whole heap, while holding the allocator's lock for one arena at a time.
                    let _ = tokio::task::spawn_blocking(trim).await;
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// [malloc_trim(3)](https://man7.org/linux/man-pages/man3/malloc_trim.3.html): gives whole free pages back wherever they
/// lie. Other C libraries have no such call.
#[cfg(target_env = "gnu")]
fn trim() {
    #[allow(
        unsafe_code,
        reason = "no crate wraps this call; it takes a number, and may be made by any thread at any time"
    )]
    // SAFETY: the function has no precondition (its manual page calls it MT-Safe), and is of the allocator that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}
