//! A small typed client of the agent's socket: blocking, standard library only, no TLS and no async runtime, so that a
//! command that asks for one token starts, asks and ends within a millisecond or two.
//!
//! Each call is one connection. Every wait is bounded except the wait for the next line of [`Client::events`], which
//! lasts as long as the agent does.

mod body;
mod client;
mod encode;
mod error;
mod events;
mod exchange;
// Only `cargo xtask fuzz` builds with this: a feature could be switched on by anybody's manifest.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod incoming;
mod log;
mod socket;
mod start;

pub use client::{Client, HandOut};
pub use error::{Error, Unreachable};
pub use events::{EventStop, Events};
pub use log::LogLines;
pub use socket::SocketPath;
pub use start::{StartAgent, agent_command, agent_program};

#[cfg(test)]
mod tests;
