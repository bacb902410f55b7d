//! The screen savers of the session bus. Each desktop has its own name for the same interface.

use std::collections::BTreeMap;

use tracing::debug;
use zbus::names::OwnedUniqueName;

use super::{
    bus::{Bus, Heard, member, sent_by},
    screen::{Screen, Source},
};

/// Their names, which are their interfaces too, and where their object may be. KDE tells the common one at both places.
const SCREEN_SAVERS: &[(&str, &[&str])] = &[
    ("org.freedesktop.ScreenSaver", &["/org/freedesktop/ScreenSaver", "/ScreenSaver"]),
    ("org.gnome.ScreenSaver", &["/org/gnome/ScreenSaver"]),
    ("org.cinnamon.ScreenSaver", &["/org/cinnamon/ScreenSaver"]),
    ("org.mate.ScreenSaver", &["/org/mate/ScreenSaver"]),
    ("org.xfce.ScreenSaver", &["/org/xfce/ScreenSaver"]),
];

/// Tells `screen` what they say, until the bus is gone.
pub async fn follow(mut bus: Bus, screen: &Screen) -> zbus::Result<()> {
    let mut owners: BTreeMap<&'static str, OwnedUniqueName> = BTreeMap::new();
    for &(name, paths) in SCREEN_SAVERS {
        bus.listen(&format!("type='signal',sender='{name}',interface='{name}',member='ActiveChanged'")).await?;
        if let Some(owner) = bus.watch_owner(name).await? {
            begin(&bus, screen, name, paths, &owner).await;
            owners.insert(name, owner);
        }
    }
    while let Some(heard) = bus.next().await {
        match heard {
            Heard::Owner(changed, owner) => {
                let Some(&(name, paths)) = SCREEN_SAVERS.iter().find(|(name, _)| *name == changed) else { continue };
                match owner {
                    // The first word of one that was there when we came.
                    Some(owner) if owners.get(name) == Some(&owner) => {}
                    Some(owner) => {
                        begin(&bus, screen, name, paths, &owner).await;
                        owners.insert(name, owner);
                    }
                    None => {
                        debug!(name, "a screen saver is gone");
                        owners.remove(name);
                        screen.leaves(Source::ScreenSaver(name));
                    }
                }
            }
            Heard::Signal(message) => {
                let header = message.header();
                let Some(interface) = header.interface() else { continue };
                let Some(&(name, _)) = SCREEN_SAVERS.iter().find(|(name, _)| *name == interface.as_str()) else {
                    continue;
                };
                if !owners.get(name).is_some_and(|owner| sent_by(&message, owner.as_str())) {
                    debug!(name, "a signal that the screen saver did not send was left alone");
                    continue;
                }
                if member(&message) != "ActiveChanged" {
                    continue;
                }
                // The signal is the same for both; the flag tells which it is.
                match message.body().deserialize::<bool>() {
                    Ok(true) => screen.locks(Source::ScreenSaver(name)).await,
                    Ok(false) => screen.unlocks(Source::ScreenSaver(name)),
                    Err(error) => debug!(name, %error, "a screen saver said something else"),
                }
            }
        }
    }
    Ok(())
}

/// Asks one that is there, or that just started, how the screen is.
async fn begin(bus: &Bus, screen: &Screen, name: &'static str, paths: &[&str], owner: &OwnedUniqueName) {
    for path in paths {
        let active: zbus::Result<bool> = bus.ask(owner.as_str(), path, name, "GetActive", &()).await;
        if let Ok(active) = active {
            debug!(name, active, "a screen saver is there");
            return screen.sees(Source::ScreenSaver(name), active).await;
        }
    }
    debug!(name, "a screen saver is there, and does not say how the screen is");
}
