//! A connection to a message bus, as far as it is needed to hear services and ask them.

use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zbus::{
    Connection, Message, MessageStream,
    message::Type,
    names::{BusName, OwnedUniqueName},
    zvariant::{DynamicType, OwnedValue, Type as Signature},
};

/// The longest that connecting or one answer may take: a service that hangs is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages that may wait while a lock is under way. Beyond it the bus waits, and keeps the rest.
const WAITING_MAX: usize = 256;

const DRIVER: &str = "org.freedesktop.DBus";

/// Which bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The machine's: logind.
    System,
    /// The desktop session's: screen savers.
    Session,
}

/// A connection. Signals come in the order in which they were sent.
pub struct Bus {
    connection: Connection,
    messages: MessageStream,
}

/// A signal, or that a name has another owner.
pub enum Heard {
    /// The name is owned by this connection now, or by nobody.
    Owner(String, Option<OwnedUniqueName>),
    /// A signal. Anybody on the bus can send one to us: compare the sender.
    Signal(Message),
}

#[derive(Deserialize, Serialize, Signature)]
struct OwnerChanged {
    name: String,
    old: String,
    new: String,
}

impl Bus {
    /// Connects to the bus that the environment names, or to the one at the usual place.
    pub async fn connect(which: Which) -> zbus::Result<Self> {
        let builder = match which {
            Which::System => zbus::connection::Builder::system()?,
            Which::Session => zbus::connection::Builder::session()?,
        };
        let built = builder.max_queued(WAITING_MAX).method_timeout(PATIENCE).build();
        let connection =
            tokio::time::timeout(PATIENCE, built).await.map_err(|_| zbus::Error::InputOutput(timed_out()))??;
        // Before anything is asked for, so that nothing is missed.
        let messages = MessageStream::from(&connection);
        Ok(Self { connection, messages })
    }

    /// Has the bus send what fits `rule` (D-Bus specification, "Match Rules").
    pub async fn listen(&self, rule: &str) -> zbus::Result<()> {
        self.ask(DRIVER, "/org/freedesktop/DBus", DRIVER, "AddMatch", &rule).await
    }

    /// Takes such a rule back.
    pub async fn ignore(&self, rule: &str) -> zbus::Result<()> {
        self.ask(DRIVER, "/org/freedesktop/DBus", DRIVER, "RemoveMatch", &rule).await
    }

    /// Has the bus tell when `name` gets another owner, and returns who owns it now. Starts nobody.
    pub async fn watch_owner(&self, name: &str) -> zbus::Result<Option<OwnedUniqueName>> {
        self.listen(&format!(
            "type='signal',sender='{DRIVER}',interface='{DRIVER}',member='NameOwnerChanged',arg0='{name}'"
        ))
        .await?;
        // An error means that nobody does.
        Ok(self.ask(DRIVER, "/org/freedesktop/DBus", DRIVER, "GetNameOwner", &name).await.ok())
    }

    /// Calls a method.
    pub async fn ask<B, R>(&self, to: &str, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Signature,
    {
        let destination = BusName::try_from(to)?;
        let reply = self.connection.call_method(Some(destination), path, Some(interface), method, body).await?;
        reply.body().deserialize()
    }

    /// Calls a method that answers with a file.
    pub async fn ask_for_file<B>(
        &self,
        to: &str,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<std::os::fd::OwnedFd>
    where
        B: Serialize + DynamicType,
    {
        let file: zbus::zvariant::OwnedFd = self.ask(to, path, interface, method, body).await?;
        Ok(file.into())
    }

    /// Reads a property.
    pub async fn property<T>(&self, of: &str, path: &str, interface: &str, name: &str) -> zbus::Result<T>
    where
        T: TryFrom<OwnedValue, Error: Into<zbus::zvariant::Error>>,
    {
        let value: OwnedValue =
            self.ask(of, path, "org.freedesktop.DBus.Properties", "Get", &(interface, name)).await?;
        T::try_from(value).map_err(|error| zbus::Error::Variant(error.into()))
    }

    /// The next thing that is heard. `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            let message = self.messages.next().await?.ok()?;
            if message.message_type() != Type::Signal {
                continue;
            }
            if !sent_by(&message, DRIVER) {
                return Some(Heard::Signal(message));
            }
            if member(&message) == "NameOwnerChanged"
                && let Ok(changed) = message.body().deserialize::<OwnerChanged>()
            {
                let OwnerChanged { name, new, .. } = changed;
                return Some(Heard::Owner(name, OwnedUniqueName::try_from(new).ok()));
            }
        }
    }
}

/// The member of a signal; empty when it names none.
pub fn member(message: &Message) -> String {
    message.header().member().map(ToString::to_string).unwrap_or_default()
}

/// Whether the bus says that `owner` sent it.
pub fn sent_by(message: &Message, owner: &str) -> bool {
    message.header().sender().is_some_and(|sender| sender.as_str() == owner)
}

fn timed_out() -> std::sync::Arc<std::io::Error> {
    std::sync::Arc::new(std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer"))
}
