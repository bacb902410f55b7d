//! A message bus of a test's own.

use std::{path::Path, time::Duration};

use crate::{
    display::Display,
    home::Home,
    process::{Group, bound_to_us, output_to},
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A D-Bus daemon that starts nothing by itself but what is in its folder of services.
#[derive(Debug)]
pub struct Bus {
    _daemon: Group,
    address: String,
}

impl Bus {
    /// Starts one that is called `name` in this home.
    ///
    /// # Panics
    /// When dbus-daemon is missing or does not start.
    pub fn start(home: &Home, name: &str, services: &Path, display: Option<&Display>) -> Self {
        let socket = home.beside("runtime").join(name);
        let config = home.beside("runtime").join(format!("{name}.conf"));
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <servicedir>{}</servicedir><policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n",
            socket.display(),
            services.display()
        );
        std::fs::write(&config, text).expect("a bus configuration");
        let mut command = bound_to_us("dbus-daemon");
        home.apply(&mut command).arg("--nofork").arg("--nopidfile").arg(format!("--config-file={}", config.display()));
        if let Some(display) = display {
            display.apply(&mut command);
        }
        output_to(&mut command, &home.log(&format!("{name}.log")));
        let daemon = Group::spawn("dbus-daemon (Debian package dbus)", &mut command);
        wait::until_true("the D-Bus socket", START_LIMIT, || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Self { _daemon: daemon, address: format!("unix:path={}", socket.display()) }
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }
}
