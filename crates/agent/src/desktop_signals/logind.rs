//! logind: sleep, the session's lock, and who has the seat
//! ([org.freedesktop.login1](https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html)).

use std::{collections::HashMap, os::fd::OwnedFd};

use holdfast_engine::{Absence, Engine, LockPolicy};
use tracing::debug;
use zbus::{
    Message,
    names::OwnedUniqueName,
    zvariant::{OwnedObjectPath, OwnedValue},
};

use super::{
    bus::{Bus, Heard, member, sent_by},
    screen::{Screen, Source},
};

const LOGIND: &str = "org.freedesktop.login1";
const MANAGER_PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const USER: &str = "org.freedesktop.login1.User";

/// Tells the engine and `screen` what logind says, until the bus is gone.
pub async fn follow(bus: Bus, engine: &Engine, policy: LockPolicy, screen: &Screen) -> zbus::Result<()> {
    let mut logind = Logind { bus, engine, policy, screen, owner: None, inhibitor: None, asleep: false, session: None };
    for member in ["PrepareForSleep", "SessionNew", "SessionRemoved"] {
        if member == "PrepareForSleep" || logind.wants_session() {
            let rule = format!("type='signal',sender='{LOGIND}',interface='{MANAGER}',member='{member}'");
            logind.bus.listen(&rule).await?;
        }
    }
    let owner = logind.bus.watch_owner(LOGIND).await?;
    logind.is_owned_by(owner).await;
    while let Some(heard) = logind.bus.next().await {
        match heard {
            Heard::Owner(_, owner) => logind.is_owned_by(owner).await,
            Heard::Signal(message) => {
                let is_its = logind.owner.as_ref().is_some_and(|owner| sent_by(&message, owner.as_str()));
                if is_its {
                    logind.says(&message).await;
                } else {
                    debug!("a signal that logind did not send was left alone");
                }
            }
        }
    }
    Ok(())
}

struct Logind<'a> {
    bus: Bus,
    engine: &'a Engine,
    policy: LockPolicy,
    screen: &'a Screen,
    owner: Option<OwnedUniqueName>,
    /// While it is open the machine does not sleep yet.
    inhibitor: Option<OwnedFd>,
    asleep: bool,
    session: Option<OwnedObjectPath>,
}

impl Logind<'_> {
    const fn wants_session(&self) -> bool {
        self.policy.on_user_switch || self.policy.on_screen_lock
    }

    /// logind is there, started again, or is gone. What it said before holds until it says something else.
    async fn is_owned_by(&mut self, owner: Option<OwnedUniqueName>) {
        if self.owner == owner {
            return;
        }
        self.owner = owner;
        self.inhibitor = None;
        self.forget_session().await;
        if self.owner.is_none() {
            debug!("logind is not there");
            return;
        }
        self.hold_sleep().await;
        let asleep = self.bus.property(LOGIND, MANAGER_PATH, MANAGER, "PreparingForSleep").await.unwrap_or(false);
        if asleep != self.asleep {
            self.prepares_for_sleep(asleep).await;
        }
        self.find_session().await;
    }

    async fn says(&mut self, message: &Message) {
        let path = message.header().path().map(ToString::to_string).unwrap_or_default();
        let from_session = self.session.as_ref().is_some_and(|session| session.as_str() == path);
        match member(message).as_str() {
            "PrepareForSleep" => match message.body().deserialize() {
                Ok(begins) => self.prepares_for_sleep(begins).await,
                Err(error) => debug!(%error, "logind said something else"),
            },
            // Ours may be the one that came or went; there may have been none.
            "SessionNew" | "SessionRemoved" => self.find_session().await,
            "Lock" if from_session && self.policy.on_screen_lock => self.screen.locks(Source::Request).await,
            "Unlock" if from_session && self.policy.on_screen_lock => self.screen.unlocks(Source::Request),
            "PropertiesChanged" if from_session => self.session_changed(message).await,
            _ => {}
        }
    }

    /// Keeps the machine awake until the vault is closed and what a provider answered is stored.
    async fn hold_sleep(&mut self) {
        let inhibit = ("sleep", "Holdfast", "Closing the vault", "delay");
        match self.bus.ask_for_file(LOGIND, MANAGER_PATH, MANAGER, "Inhibit", &inhibit).await {
            Ok(inhibitor) => self.inhibitor = Some(inhibitor),
            Err(error) => debug!(%error, "sleep cannot be delayed"),
        }
    }

    async fn prepares_for_sleep(&mut self, begins: bool) {
        self.asleep = begins;
        if begins {
            self.engine.absence_begins(Absence::Sleep).await;
            // Now it may sleep.
            self.inhibitor = None;
        } else {
            if self.inhibitor.is_none() {
                self.hold_sleep().await;
            }
            self.engine.absence_ends(Absence::Sleep);
        }
    }

    /// The session that this process belongs to; for a service of the user manager the one with the user's display.
    async fn ask_for_session(&self) -> Option<OwnedObjectPath> {
        let own: zbus::Result<OwnedObjectPath> =
            self.bus.ask(LOGIND, MANAGER_PATH, MANAGER, "GetSessionByPID", &std::process::id()).await;
        if let Ok(session) = own {
            // The user manager has a session too, of a class of its own, which nobody ever locks or leaves.
            let class: zbus::Result<String> = self.bus.property(LOGIND, session.as_str(), SESSION, "Class").await;
            if class.is_ok_and(|class| class.starts_with("user")) {
                return Some(session);
            }
        }
        let uid = rustix::process::geteuid().as_raw();
        let user: OwnedObjectPath = self.bus.ask(LOGIND, MANAGER_PATH, MANAGER, "GetUser", &uid).await.ok()?;
        let display: OwnedValue = self.bus.property(LOGIND, user.as_str(), USER, "Display").await.ok()?;
        let (id, session) = <(String, OwnedObjectPath)>::try_from(display).ok()?;
        (!id.is_empty()).then_some(session)
    }

    async fn find_session(&mut self) {
        if !self.wants_session() {
            return;
        }
        let found = self.ask_for_session().await;
        if found == self.session {
            return;
        }
        self.forget_session().await;
        let Some(session) = found else {
            debug!("this user has no session on a display");
            return;
        };
        debug!(session = session.as_str(), "the session is watched");
        if let Err(error) = self.bus.listen(&session_rule(&session)).await {
            debug!(%error, "the session cannot be watched");
            return;
        }
        if let Ok(active) = self.bus.property(LOGIND, session.as_str(), SESSION, "Active").await {
            self.is_active(active).await;
        }
        if self.policy.on_screen_lock
            && let Ok(locked) = self.bus.property(LOGIND, session.as_str(), SESSION, "LockedHint").await
        {
            self.screen.sees(Source::LockedHint, locked).await;
        }
        self.session = Some(session);
    }

    async fn forget_session(&mut self) {
        let Some(session) = self.session.take() else { return };
        self.screen.leaves(Source::LockedHint);
        // A rule of a session that is gone matches nothing; that it stays does no harm.
        let _ = self.bus.ignore(&session_rule(&session)).await;
    }

    async fn session_changed(&mut self, message: &Message) {
        let body = message.body();
        let Ok((interface, mut changed, unsaid)) =
            body.deserialize::<(String, HashMap<String, OwnedValue>, Vec<String>)>()
        else {
            return;
        };
        let Some(session) = self.session.clone().filter(|_| interface == SESSION) else { return };
        // Some properties are only announced, and have to be asked for.
        for name in unsaid.iter().filter(|name| ["Active", "LockedHint"].contains(&name.as_str())) {
            if let Ok(value) = self.bus.property(LOGIND, session.as_str(), SESSION, name).await {
                changed.insert(name.clone(), value);
            }
        }
        let flag = |name: &str| changed.get(name).and_then(|value| bool::try_from(value).ok());
        if let Some(active) = flag("Active") {
            self.is_active(active).await;
        }
        match flag("LockedHint").filter(|_| self.policy.on_screen_lock) {
            Some(true) => self.screen.locks(Source::LockedHint).await,
            Some(false) => self.screen.unlocks(Source::LockedHint),
            None => {}
        }
    }

    async fn is_active(&self, active: bool) {
        if active {
            self.engine.absence_ends(Absence::OtherUser);
        } else {
            self.engine.absence_begins(Absence::OtherUser).await;
        }
    }
}

fn session_rule(session: &OwnedObjectPath) -> String {
    format!("type='signal',sender='{LOGIND}',path='{}'", session.as_str())
}
