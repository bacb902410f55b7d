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
mod incoming;
mod socket;
mod start;

pub use client::{Client, HandOut};
pub use error::{Error, Unreachable};
pub use events::{EventStop, Events};
pub use socket::SocketPath;
pub use start::{StartAgent, agent_program};

#[cfg(test)]
mod tests;
