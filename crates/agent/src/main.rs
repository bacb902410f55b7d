//! `holdfast-agent`: the only process that ever holds a secret.
//!
//! The composition root: it finds its places, hardens itself, takes the lock that makes it the only one,
//! plugs the adapters into the engine, and serves the socket until it is told to stop.

mod clock;
mod config;
mod desktop_signals;
mod give_back;
mod hardening;
mod instance;
mod keyring;
mod logging;
mod network;
mod ordinary_file;
mod places;
mod providers_dir;
mod socket;
mod witness;

use std::{alloc::System, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use holdfast_engine::{Engine, Ports};
use holdfast_oauth::{Limits, Network, OAuthClient};
use holdfast_vault::SqliteVault;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;
use zeroizing_alloc::ZeroAlloc;

use crate::{clock::SystemClock, config::Config, keyring::SecretServiceKeyring, places::Places, witness::AgentWitness};

/// Wipes what is freed. Our own secrets wipe themselves; this reaches the copies that pass through the buffers of
/// HTTP, JSON and formatting, which belong to others. docs/THREAT-MODEL.md says what it does not reach.
///
/// Over the system's allocator, because that gives the 64 MiB of Argon2id back at once and holds least of what it was
/// once asked for. Wiping costs less time than a measurement of the socket can show.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// How long the first callers wait for a vault that opens by itself.
const FIRST_UNLOCK: Duration = Duration::from_secs(3);

/// How long the keyring may take to hear, at the end, how often the vault was written.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The process that owns every secret of Holdfast. It runs in the foreground; `holdfast agent start`
/// starts it in the background.
#[derive(Parser)]
#[command(name = "holdfast-agent", version, about)]
struct Arguments {}

fn main() -> ExitCode {
    Arguments::parse();
    logging::start();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: whoever started the agent shows it to a person.
            let line = format!("holdfast-agent: {error:#}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let kept = hardening::apply().context("the process could not be hardened, so no secret was touched")?;
    let mut places = Places::from_environment()?;
    places.make_folders()?;
    let home = instance::Lock::take(&places.lock)?;
    places.vault = instance::real_vault(&places.vault)?;
    let locks = (home, instance::Lock::take(&instance::lock_of_vault(&places.vault))?);
    let config = Config::read(&places.config)?;
    let network = config.network.open(&places.config)?;
    info!("kept out of swap: {kept}");
    let (ca_files, proxy) = (config.network.ca_files.len(), &config.network.proxy);
    info!(ca_files, proxy, "network");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The work is waiting, not computing; more threads would only hold more stacks.
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the asynchronous runtime could not be started")?;
    let result = runtime.block_on(serve(&places, &config, network));
    // A keyring call may hang in its person's prompt, and a read on a mount that is gone; neither must keep a stopped agent
    // alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(locks);
    result
}

async fn serve(places: &Places, config: &Config, network: Network) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM could not be watched")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT could not be watched")?;
    let mut hang_up = signal(SignalKind::hangup()).context("SIGHUP could not be watched")?;
    let listener = socket::bind(&places.socket)?;
    let clock = Arc::new(SystemClock);
    let server = OAuthClient::with_network(clock.clone(), Limits::default(), network);
    let server = Arc::new(server.context("the HTTPS client could not be made")?);
    let keyring = Arc::new(SecretServiceKeyring::new(Duration::from_secs(config.keyring_timeout_s)));
    let witness = Arc::new(AgentWitness::new(places.witness.clone(), keyring.clone()));
    let vault = SqliteVault::new(places.vault.clone())
        .with_witness(witness.clone())
        .with_passphrase_time(Duration::from_millis(config.passphrase_time_ms))
        .with_audit_lines_max(config.audit_lines_max);
    let receivers = Arc::new(holdfast_oauth::Receivers::default());
    let engine = Engine::new(Ports {
        clock: clock.clone(),
        timer: clock,
        vault: Arc::new(vault),
        keyring,
        source: Arc::new(holdfast_sources::Sources::new(server.clone())),
        proof: server.clone(),
        inspector: server.clone(),
        registrar: server.clone(),
        session_end: server.clone(),
        server,
        receiver: receivers.clone(),
        door: receivers,
        browser: Arc::new(holdfast_oauth::LoopbackSessionEnd),
    });
    engine.set_file_providers(providers_dir::read(&places.providers));
    let policy = config.lock.policy();
    engine.set_lock_policy(policy);
    give_back::after_unlock_and_lock(&engine);
    // The socket is bound already, so callers queue meanwhile; a keyring that waits for its person does not hold
    // them up longer than this.
    let _ = tokio::time::timeout(FIRST_UNLOCK, engine.start()).await;

    desktop_signals::watch(&engine, policy);

    let stop = holdfast_api::Stop::default();
    let files = holdfast_api::Files::new(Arc::new(ordinary_file::read_pieces));
    let own_uid = rustix::process::geteuid().as_raw();
    let server = tokio::spawn(holdfast_api::serve(listener, engine.clone(), own_uid, files, stop.clone()));
    info!(version = env!("CARGO_PKG_VERSION"), "ready");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
        () = stop.asked.notified() => {}
    }
    info!("stopping");
    // First the vault: readers of events end by it, and no request can begin anything new.
    engine.stop().await;
    witness.finish(LAST_WORDS).await;
    stop.now.cancel();
    let _ = server.await;
    socket::remove(&places.socket);
    info!("stopped");
    Ok(())
}
