//! The table `[network]` of `config.toml` with the real agent: authorities of one's own, a proxy, and files that are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use holdfast_system_tests::{
    agent::Agent,
    certificate, cli,
    home::Home,
    idp::{Idp, Lifetimes},
    person::{self, Answer},
    world::{self, World},
};
use holdfast_wire::State;
use rustix::fs::{CWD, FileType, Mode, mknodat};

const TRUSTING: &str = "[network]\nca_files = [\"ca/provider.pem\"]\n";

/// Ends the agent and starts it with this `config.toml`.
fn restart_with(world: &mut World, config: &str) {
    world.home.write_config(config);
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    world.restart_agent();
}

#[test]
fn an_authority_that_is_named_is_believed_and_without_it_accounts_wait_and_nothing_ends() {
    let home = Home::new();
    let (key, certificate) = certificate::make(&home);
    let settings = [("TLS_KEY", key.as_str()), ("TLS_CERT", certificate.as_str())];
    let idp = Idp::start_with(&home, "idp", Lifetimes::default(), &settings);
    std::fs::create_dir(home.path().join("ca")).unwrap();
    std::fs::copy(&certificate, home.path().join("ca/provider.pem")).unwrap();
    home.write_config(TRUSTING);
    home.provision("demo.toml", &idp.provider_table("demo"));
    let agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    let mut world = World { agent: Some(agent), idp, home };

    let mut running = cli::start(&world.home, &["sign-in", "demo", "--label", "work", "--no-browser"]);
    let page = world.idp.without_tls(&running.next_line());
    assert_eq!(person::follow(&page, Answer::Allow { login: "alice", password: "alice-pw" }).status, 200);
    running.finish().ok();
    world.run(&["refresh", "work"]).ok();
    let refreshes = world.idp.refreshes().len();

    restart_with(&mut world, "");
    let refused = world.run(&["refresh", "work", "--json"]);
    assert_eq!((refused.code, refused.error_code().as_str()), (7, "provider_tls_failed"), "{refused:?}");
    let refused = world.run(&["refresh", "work"]).failed_with(7);
    for words in ["127.0.0.1 shows a certificate of an authority that is not trusted here", "sent nothing", "ca_files"]
    {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    assert_eq!(world.idp.refreshes().len(), refreshes, "the refresh token did not leave");
    assert_ne!(world.account("work").state, State::NeedsSignIn);
    world.run(&["token", "work"]).ok();

    restart_with(&mut world, TRUSTING);
    world.run(&["refresh", "work"]).ok();
    assert_eq!(world.account("work").state, State::Fresh);
}

#[test]
fn settings_that_cannot_be_used_end_the_start_and_say_which_and_why() {
    let home = Home::new();
    let (key, certificate) = certificate::make(&home);
    for (from, to) in [(&key, "key.pem"), (&certificate, "good.pem")] {
        std::fs::copy(from, home.path().join(to)).unwrap();
    }
    std::fs::write(home.path().join("text.pem"), "no certificate").unwrap();
    mknodat(CWD, home.path().join("fifo.pem"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
    for (setting, said) in [
        ("ca_files = [\"good.pem\", \"none.pem\"]", "none.pem in ca_files cannot be read: No such file"),
        ("ca_files = [\"fifo.pem\"]", "fifo.pem in ca_files cannot be read: it is no ordinary file"),
        ("ca_files = [\"text.pem\"]", "text.pem in ca_files is no PEM file"),
        ("ca_files = [\"key.pem\"]", "key.pem in ca_files holds a private key"),
        ("proxy = \"http://ann:MARK-pw@proxy.example:3128\"", "proxy has a user name or a password in it"),
        ("no_proxy = [\"*\"]", "entry 1 of no_proxy"),
        ("ca_file = \"good.pem\"", "unknown field `ca_file`"),
    ] {
        home.write_config(&format!("[network]\n{setting}\n"));
        // The command starts the agent, and tells what that said at its end.
        let refused = cli::run(&home, &["status"]).failed_with(8);
        assert!(refused.stderr.contains("config.toml") && refused.stderr.contains(said), "{setting}: {refused:?}");
        assert!(!refused.stderr.contains("MARK"), "{setting}: {refused:?}");
    }
    home.write_config("[network]\nca_files = [\"good.pem\"]\nproxy = \"none\"\nno_proxy = [\".corp.example\"]\n");
    let _agent = Agent::start(&home);
}

/// A proxy that lets nobody through without a password: its address.
fn proxy_that_wants_a_password() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the process of the test.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"CONNECT id.example:443 "));
            stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    address
}

#[test]
fn a_proxy_that_wants_a_password_is_named_and_this_machine_is_reached_without_it() {
    let proxy = proxy_that_wants_a_password();
    let world = World::with_config(Lifetimes::default(), &format!("[network]\nproxy = \"{proxy}\"\n"));
    let add = ["provider", "add", "far", "--issuer", "https://id.example", "--client-id", "x"];
    let refused = world.run(&add).failed_with(7);
    for words in
        [&format!("The proxy {proxy} wants a user name and a password (status 407)"), "id.example", "HTTPS_PROXY"]
    {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    world.sign_in_alice("work");
    world.run(&["refresh", "work"]).ok();
}
