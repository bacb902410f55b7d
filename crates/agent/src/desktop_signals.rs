//! What the desktop says about its person: asleep, screen locked, another user at the seat.
//!
//! logind tells the first and the last on the system bus; who locks the screen tells on the session bus, and most tell
//! logind as well. None of them has to be there: a bus or a service that is missing, starts later or starts again is
//! the usual course of things, and is watched for. Nothing here polls: between two signals it does not wake up.

mod bus;
mod logind;
mod screen;
mod screen_savers;

use std::{sync::Arc, time::Duration};

use holdfast_engine::{Engine, LockPolicy};
use tracing::debug;

use self::{bus::Which, screen::Screen};

/// How long until a missing bus is looked for again; doubled at each failure. A login starts it within seconds.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest such wait: a machine without a bus is asked six times an hour.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Watches until the engine stops. Sleep is watched whatever the policy says: after it, plans are due.
pub fn watch(engine: &Engine, policy: LockPolicy) {
    let screen = Arc::new(Screen::new(engine.clone()));
    tokio::spawn(follow(Which::System, engine.clone(), policy, screen.clone()));
    if policy.on_screen_lock {
        tokio::spawn(follow(Which::Session, engine.clone(), policy, screen));
    }
}

async fn follow(which: Which, engine: Engine, policy: LockPolicy, screen: Arc<Screen>) {
    tokio::select! {
        () = keep_following(which, &engine, policy, &screen) => {}
        () = engine.stopped() => {}
    }
}

async fn keep_following(which: Which, engine: &Engine, policy: LockPolicy, screen: &Screen) {
    let mut wait = FIRST_WAIT;
    loop {
        let ended = match bus::Bus::connect(which).await {
            Ok(bus) => {
                wait = FIRST_WAIT;
                match which {
                    Which::System => logind::follow(bus, engine, policy, screen).await,
                    Which::Session => screen_savers::follow(bus, screen).await,
                }
            }
            Err(error) => Err(error),
        };
        let reason = ended.err().map_or_else(|| "it was closed".to_owned(), |error| error.to_string());
        debug!(?which, reason, again_in_s = wait.as_secs(), "there is no bus");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
