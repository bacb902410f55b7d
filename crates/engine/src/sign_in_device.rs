//! Signing in on another device: the person types a code there, and here the provider is asked until they have
//! (RFC 8628).

use holdfast_model::{
    SignInState,
    ports::{DeviceAnswer, PendingDevice},
};
use tracing::info;

use crate::{
    DevicePrompt, Engine, EngineError, SignInSnapshot,
    sign_in::{Asked, Waiting},
};

/// What `slow_down` adds to the time between two questions (RFC 8628 section 3.5), in milliseconds.
const SLOWER_MS: i64 = 5_000;
/// The longest time between two questions, in milliseconds: a person who allowed it watches this window.
const SLOWEST_MS: i64 = 60_000;

impl Engine {
    pub(crate) async fn start_device(&self, asked: Asked, wait_ms: Option<i64>) -> Result<SignInSnapshot, EngineError> {
        let pending = self.or_closed(self.shared.ports.server.start_device(&asked.client, &asked.scopes)).await?;
        let life = milliseconds(pending.expires_in_s);
        let prompt = DevicePrompt {
            verification_uri: pending.verification_uri.clone(),
            verification_uri_complete: pending.verification_uri_complete.clone(),
            user_code: pending.user_code.clone(),
        };
        let wait = wait_ms.map_or(life, |wait| wait.min(life));
        let view = SignInSnapshot { device: Some(prompt), ..self.waiting_view(&asked, wait) };
        self.wait_in_background(view, asked, pending, |engine, waiting| async move {
            engine.wait_for_device(waiting).await;
        })
    }

    async fn wait_for_device(&self, waiting: Waiting<PendingDevice>) {
        let Waiting { id, asked, pending, deadline } = waiting;
        let mut interval = milliseconds(pending.interval_s);
        loop {
            let next = self.now().plus_millis(interval);
            tokio::select! {
                () = asked.cancel.cancelled() => return self.cancelled(id),
                () = self.shared.ports.timer.sleep_until(next.min(deadline)) => {}
            }
            if self.now() >= deadline {
                return self.move_on(id, SignInState::TimedOut);
            }
            // Not ended by cancelling: the answer may bring tokens, and those have to be given up.
            match self.shared.ports.server.ask_device(&asked.client, &pending).await {
                Ok(DeviceAnswer::Pending) => {}
                Ok(DeviceAnswer::SlowDown) => {
                    interval = interval.saturating_add(SLOWER_MS).min(SLOWEST_MS);
                    info!(interval, "the provider is asked less often");
                }
                Ok(DeviceAnswer::Expired) => return self.move_on(id, SignInState::TimedOut),
                Ok(DeviceAnswer::SignedIn(signed_in)) => {
                    self.move_on(id, SignInState::Exchanging);
                    self.settle(id, &asked, *signed_in).await;
                    return;
                }
                Err(failure) => {
                    self.refused_sign_in(id, failure);
                    return;
                }
            }
        }
    }
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
}
