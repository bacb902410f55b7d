//! Every byte of the file flipped, and the file cut everywhere: what opens is what was written, or it is reported.

use std::{collections::BTreeMap, fs, ops::Range, path::Path, sync::Arc, time::Instant};

use holdfast_model::{
    Account, ClientSecret, Provider, RecoveryCode, Revocation,
    ports::{AuditLine, RefreshIntent, Standing, UnlockMethod, VaultError, VaultFile, VaultStore},
};
use holdfast_vault::SqliteVault;
use tempfile::TempDir;

use crate::support::*;

/// What SQLite gives a page of ours.
const PAGE: usize = 4096;
/// One flip at a time each; opening waits for threads and files more than for the processor.
const WORKERS: usize = 4;
/// Zeros in a row that are flipped together at first.
const RUN: usize = 64;
/// Of the lines of the log that are looked at, more than there are.
const LINES: u32 = 100;

/// Everything that can be read of a vault: the values by where they are.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    accounts: Vec<Account>,
    providers: Vec<Provider>,
    revocations: Vec<Revocation>,
    unfinished: Vec<RefreshIntent>,
    credentials: Vec<holdfast_model::Credential>,
    /// Secrets by the name of what they belong to; one that does not open is not here.
    secrets: BTreeMap<String, String>,
    log: Vec<(u64, holdfast_model::AuditEntry)>,
    has_recovery_code: bool,
}

/// A vault with something in every table.
async fn filled(folder: &Path) -> (SqliteVault, RecoveryCode) {
    let file = SqliteVault::new(path_in(folder));
    let store = file.create(VAULT, UnlockMethod::Keyring, keyring()).await.unwrap();
    let (one, two) = (SignedIn::new(1), SignedIn::new(2));
    for (number, account) in [(1, &one), (2, &two)] {
        let (access, refresh) = (format!("access-{number}"), format!("refresh-{number}"));
        let writes = vec![write(&account.access, Some(&access)), write(&account.refresh, Some(&refresh))];
        store.commit_sign_in(&account.account, writes, Vec::new()).await.unwrap();
    }
    store.put_provider(&provider("demo"), Some(&ClientSecret::new("s3cret".into()))).await.unwrap();
    store.begin_refresh(&one.intent()).await.unwrap();
    store.commit_refresh(&one.intent(), &one.account, one.renewed("access-1b", Some("refresh-1b"))).await.unwrap();
    store.begin_refresh(&two.intent()).await.unwrap();
    store.sign_out(&[], vec![(revocation(5, one.account.id), "given-up".into_secret())]).await.unwrap();
    store.append_audit(&[audit_entry(None, "a"), audit_entry(Some(one.account.id), "b")]).await.unwrap();
    let code = store.make_recovery_code().await.unwrap();
    store.close().await;
    (file, code)
}

async fn read(store: &dyn VaultStore) -> Result<(Read, bool), VaultError> {
    let contents = store.load().await?;
    let mut reported = !contents.damaged.is_empty() || contents.standing != Standing::Current;
    let mut secrets = BTreeMap::new();
    for credential in &contents.credentials {
        match store.secret(credential.id).await {
            Ok(value) => drop(secrets.insert(credential.id.to_string(), value.expose_secret().to_owned())),
            Err(_) => reported = true,
        }
    }
    for provider in &contents.providers {
        match store.client_secret(&provider.name).await {
            Ok(value) => {
                let value = value.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default();
                drop(secrets.insert(provider.name.to_string(), value));
            }
            Err(_) => reported = true,
        }
    }
    for revocation in &contents.revocations {
        match store.revocation_token(revocation.id).await {
            Ok(value) => drop(secrets.insert(revocation.id.to_string(), value.expose_secret().to_owned())),
            Err(_) => reported = true,
        }
    }
    let mut log = Vec::new();
    for line in store.audit(&newest(LINES)).await? {
        match line {
            AuditLine::Entry { seq, entry } => log.push((seq, entry)),
            AuditLine::Missing { .. } | AuditLine::Changed { .. } => reported = true,
        }
    }
    let read = Read {
        accounts: contents.accounts,
        providers: contents.providers,
        revocations: contents.revocations,
        unfinished: contents.unfinished,
        credentials: contents.credentials,
        secrets,
        log,
        has_recovery_code: contents.has_recovery_code,
    };
    Ok((read, reported))
}

/// How a changed file was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    /// It does not open, and says why.
    Refused,
    /// It opens, and what is wrong is reported.
    Reported,
    /// It opens, and everything is there: the byte was one that means nothing.
    Harmless,
}

/// When the whole file is checked, which takes longer than all the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Where something is missing that nobody told of.
    IfMissing,
    /// Wherever nobody told of anything.
    IfUntold,
}

/// Opens a changed file, and holds what comes out of it against the truth.
async fn meet(path: &Path, truth: &Read, check: Check, when: &str) -> Met {
    let store = match SqliteVault::new(path).open(keyring()).await {
        Ok(store) => store,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "{when}");
            assert!(!matches!(error, VaultError::Absent), "{when}: a broken vault is not called a missing one");
            return Met::Refused;
        }
    };
    let met = match read(store.as_ref()).await {
        Err(_) => Met::Reported,
        Ok((found, reported)) => {
            let wrong = wrong_values(&found, truth);
            assert!(wrong.is_empty(), "{when}: wrong values: {wrong:?}");
            let look = check == Check::IfUntold || found != *truth;
            let reported = reported || (look && says_so(store.as_ref()).await);
            assert!(reported || found == *truth, "{when}: something is missing and nobody says so: {found:#?}");
            if reported { Met::Reported } else { Met::Harmless }
        }
    };
    store.close().await;
    met
}

/// Whether a check finds what opening did not.
async fn says_so(store: &dyn VaultStore) -> bool {
    store.check().await.map_or(true, |report| !report.damaged.is_empty() || !report.database.is_empty())
}

/// What was read and was never written; less than everything may be there, nothing else.
fn wrong_values(found: &Read, truth: &Read) -> Vec<String> {
    fn strangers<T: PartialEq + std::fmt::Debug>(found: &[T], truth: &[T]) -> Vec<String> {
        found.iter().filter(|one| !truth.contains(one)).map(|one| format!("{one:?}")).collect()
    }
    let mut wrong = strangers(&found.accounts, &truth.accounts);
    wrong.extend(strangers(&found.providers, &truth.providers));
    wrong.extend(strangers(&found.revocations, &truth.revocations));
    wrong.extend(strangers(&found.unfinished, &truth.unfinished));
    wrong.extend(strangers(&found.credentials, &truth.credentials));
    wrong.extend(strangers(&found.log, &truth.log));
    for (name, value) in &found.secrets {
        if truth.secrets.get(name) != Some(value) {
            wrong.push(format!("the secret of {name}"));
        }
    }
    wrong
}

/// Meets every changed file that `change` makes of the bytes, and says of each how.
async fn meet_all<C: Clone + std::fmt::Debug + Send + Sync + 'static>(
    bytes: &[u8],
    truth: &Read,
    cases: Vec<C>,
    check: Check,
    change: fn(&mut Vec<u8>, &C),
) -> Vec<(C, Met)> {
    let begin = Instant::now();
    let (bytes, truth, cases) = (Arc::new(bytes.to_vec()), Arc::new(truth.clone()), Arc::new(cases));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (bytes, truth, cases) = (bytes.clone(), truth.clone(), cases.clone());
            tokio::spawn(async move {
                // In memory where there is such a place: thousands of copies are no work for a disk.
                let memory = Path::new("/dev/shm");
                let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
                let path = folder.path().join("vault.db");
                let mut met = Vec::new();
                for case in cases.iter().skip(worker).step_by(WORKERS) {
                    let mut changed = bytes.as_ref().clone();
                    change(&mut changed, case);
                    fs::write(&path, &changed).unwrap();
                    let how = meet(&path, &truth, check, &format!("{case:?}")).await;
                    if how == Met::Refused {
                        assert!(fs::read(&path).unwrap() == changed, "{case:?}: what is refused is not touched");
                    }
                    met.push((case.clone(), how));
                    for left in ["vault.db-wal", "vault.db-shm"] {
                        let _ = fs::remove_file(folder.path().join(left));
                    }
                }
                met
            })
        })
        .collect();
    let mut met = Vec::new();
    for worker in workers {
        met.extend(worker.await.unwrap());
    }
    let count = |how| met.iter().filter(|(_, met)| *met == how).count();
    let (refused, reported, harmless) = (count(Met::Refused), count(Met::Reported), count(Met::Harmless));
    println!("{refused} refused, {reported} reported, {harmless} harmless, in {:?}", begin.elapsed());
    met
}

async fn whole() -> (Vec<u8>, Read) {
    let folder = TempDir::new().unwrap();
    let (file, _) = filled(folder.path()).await;
    let store = file.open(keyring()).await.unwrap();
    let (truth, reported) = read(store.as_ref()).await.unwrap();
    store.close().await;
    assert!(!reported && truth.secrets.len() == 6 && truth.log.len() == 2 && truth.has_recovery_code, "{truth:#?}");
    assert_eq!((truth.accounts.len(), truth.credentials.len(), truth.unfinished.len()), (2, 4, 1));
    (fs::read(path_in(folder.path())).unwrap(), truth)
}

/// Flips one bit in each byte; which one goes round, so that every bit of a number that repeats is met.
fn flip(bytes: &mut [u8], at: &Range<usize>) {
    for at in at.clone() {
        bytes[at] ^= 1 << (at % 8);
    }
}

/// Each byte by itself, but for long runs of zeros: pages of a small file are mostly room that nobody uses.
fn bytes_and_runs(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let zeros = bytes[at..].iter().take(RUN).take_while(|byte| **byte == 0).count();
        let length = if zeros == RUN { RUN } else { 1 };
        ranges.push(at..at + length);
        at += length;
    }
    ranges
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flipped_byte_is_refused_reported_or_means_nothing() {
    let (bytes, truth) = whole().await;
    let envelopes = bytes.windows(6).filter(|window| window == b"HFSE\x01\x01").count();
    let cases = bytes_and_runs(&bytes);
    println!("{} bytes, {} envelopes, {} cases", bytes.len(), envelopes, cases.len());
    let met = meet_all(&bytes, &truth, cases, Check::IfMissing, |bytes, at| flip(bytes, at)).await;
    // A run that means something after all is looked at byte by byte.
    let noticed: Vec<_> = met.into_iter().filter(|(_, met)| *met != Met::Harmless).collect();
    let singly = noticed.iter().filter(|(at, _)| at.len() > 1).flat_map(|(at, _)| at.clone().map(|at| at..at + 1));
    meet_all(&bytes, &truth, singly.collect(), Check::IfMissing, |bytes, at| flip(bytes, at)).await;
    let single = noticed.iter().filter(|(at, _)| at.len() == 1).count();
    assert!(single > envelopes * 82, "{single} flips were noticed, and there are {envelopes} envelopes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_cut_is_refused_or_reported_wherever_the_cut_is() {
    let (bytes, truth) = whole().await;
    assert_eq!(bytes.len() % PAGE, 0);
    // Every page boundary, a byte around it, and some within pages.
    let within = |page: usize| [page * PAGE, page * PAGE + 1, page * PAGE + 511, (page + 1) * PAGE - 1];
    let cuts: Vec<usize> = (0..bytes.len() / PAGE).flat_map(within).chain([16, 99, 100, 101, 512]).collect();
    let met = meet_all(&bytes, &truth, cuts, Check::IfUntold, |bytes, to| bytes.truncate(*to)).await;
    let unnoticed: Vec<_> = met.iter().filter(|(_, met)| *met == Met::Harmless).collect();
    assert!(unnoticed.is_empty(), "cut, and nobody noticed: {unnoticed:?}");
}
