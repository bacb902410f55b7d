//! What the system tests stand on: the real binaries in a home of their own, a real identity provider, keyring,
//! browser and window, and bounded waiting. Everything that is started here ends when its value is dropped.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on shall fail at once"
)]

pub mod agent;
pub mod binaries;
pub mod browser;
pub mod bus;
pub mod certificate;
pub mod cli;
pub mod desktop;
pub mod display;
pub mod faults;
pub mod faulty_world;
pub mod home;
pub mod http;
pub mod idp;
pub mod keyring;
pub mod keys;
pub mod memory;
pub mod other_program;
pub mod person;
pub mod process;
pub mod scan;
pub mod source;
pub mod stage;
pub mod vault_file;
pub mod wait;
pub mod webdriver;
pub mod window;
pub mod world;
