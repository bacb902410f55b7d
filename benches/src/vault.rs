//! The vault: opening, writing, its log, its care. In this process, on the disk.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::ensure;
use holdfast_crypto::PassphraseCost;
use holdfast_engine::Caller;
use holdfast_model::{
    AccountId, AuditAction, AuditEntry, Passphrase,
    ports::{AuditFilter, AuditLine, UnlockMethod, VaultFile as _},
};
use holdfast_vault::SqliteVault;

use crate::{
    Run,
    accounts::{PASSPHRASE, SignedIn, by_keyring, by_passphrase, make_vault, move_vault, now, open},
    engine,
    figures::{Figure, Section},
    peers::keepassxc,
    process::computed,
    sample::{Samples, in_turns, timed, timed_async},
};

/// The line of a change of the key.
fn done() -> AuditEntry {
    AuditEntry { at: now(), action: AuditAction::Rekeyed, account: None, program: None, detail: None }
}

/// How long a passphrase is to take on every machine: the agent's default.
const PASSPHRASE_TIME: Duration = Duration::from_millis(500);

/// How many accounts the lines of the log are about.
const ACCOUNTS_IN_LOG: u64 = 500;

/// Vaults of each size, made once for all subjects.
pub struct Vaults {
    /// Size, file, some of the accounts.
    all: Vec<(u64, std::path::PathBuf, Vec<SignedIn>)>,
}

impl Vaults {
    /// Makes them.
    pub fn make(run: &Run) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for accounts in run.sizes {
            let path = run.folder.join(format!("{accounts}/vault.db"));
            run.say(&format!("a vault of {accounts} accounts"));
            all.push((accounts, path.clone(), run.runtime.block_on(make_vault(&path, accounts))?));
        }
        Ok(Self { all })
    }

    /// The file with the most accounts.
    pub fn largest(&self) -> (u64, &Path) {
        self.all.last().map_or((0, Path::new("")), |(accounts, path, _)| (*accounts, path))
    }

    /// The file with the fewest.
    pub fn smallest(&self) -> (u64, &Path) {
        self.all.first().map_or((0, Path::new("")), |(accounts, path, _)| (*accounts, path))
    }
}

/// From a locked vault to the list of accounts that a face draws, the key at hand.
pub fn unlock_to_list(run: &Run, vaults: &Vaults) -> anyhow::Result<Section> {
    let mut section = Section::new("Unlock to list, without key derivation");
    let budgets = [None, Some(60.0), Some(250.0)];
    let floor = run.keepassxc(1)?;
    for ((accounts, path, _), budget) in vaults.all.iter().zip(budgets) {
        let engine = engine::on(path)?;
        let mut computing = Samples::default();
        let mut ours = || {
            run.runtime.block_on(async {
                let before = computed();
                let (listed, took) = timed_async(async {
                    engine.unlock(None, &Caller::default()).await?;
                    engine.accounts().map(|accounts| accounts.len())
                })
                .await?;
                computing.push(computed().saturating_sub(before));
                ensure!(listed as u64 == *accounts, "{listed} accounts were listed");
                engine.lock(&Caller::default()).await?;
                Ok(took)
            })
        };
        let what = format!("{accounts} accounts, {} tokens", accounts * 3);
        let peer = if budget.is_some() { run.keepassxc(*accounts)? } else { None };
        let mut figure = match (&peer, &floor) {
            (Some(database), Some(floor)) => {
                let [ours, theirs, nothing] =
                    in_turns(run.rounds, &mut [&mut ours, &mut || database.list(), &mut || floor.list()])?;
                let name = format!("keepassxc-cli ls; whole command {:.0} ms", theirs.median());
                Figure::time(what, &ours).beside(name, theirs.median() - nothing.median())
            }
            _ => {
                let [ours] = in_turns(run.rounds, &mut [&mut ours])?;
                Figure::time(what, &ours)
            }
        };
        if let Some(budget) = budget {
            figure = figure.below(budget);
        }
        section.figures.push(figure);
        section.figures.push(Figure::time("of that computing, all threads together", &computing));
    }
    section.remarks.push(
        "Ours: open the file, open every sealed overview, compare it with the register, plan every account, list. \
         The peer's figure is its command less the same command on a database of one entry, which takes away the start \
         of the program and its key derivation."
            .into(),
    );
    Ok(section)
}

/// Storing what a renewal brought, on the disk.
pub fn rotation(run: &Run, vaults: &Vaults) -> anyhow::Result<Section> {
    let mut section = Section::new("Durable write of one rotated token");
    let mut sync = Syncing::at(&run.folder)?;
    let floor = run.keepassxc(1)?;
    for (accounts, path, some) in &vaults.all {
        // A copy: the other subjects find the vault as it was made.
        let path = copy_of(path, "rotation")?;
        let store = run.runtime.block_on(open(&path))?;
        let mut renewing = some.clone();
        let (mut at, mut commits) = (0, Samples::default());
        let mut rotate = || {
            at = (at + 1) % renewing.len();
            let signed_in = &mut renewing[at];
            let intent = signed_in.intent();
            let writes = signed_in.renewed();
            run.runtime.block_on(async {
                let ((), begun) = timed_async(store.begin_refresh(&intent)).await?;
                let write = store.commit_refresh(&intent, &signed_in.account, writes);
                let ((), committed) = timed_async(write).await?;
                commits.push(committed);
                Ok(begun + committed)
            })
        };
        let [rotations, syncs] = in_turns(run.rounds * 20, &mut [&mut rotate, &mut || sync.once()])?;
        let mut figure = Figure::time(format!("{accounts} accounts: journal, then new tokens"), &rotations).below(20.0);
        if let (Some(mut database), Some(floor)) = (run.keepassxc(*accounts)?, &floor) {
            let edits = in_turns(run.rounds.min(5), &mut [&mut || database.edit(), &mut || floor.list()])?;
            let name = format!("keepassxc-cli edit; whole command {:.0} ms", edits[0].median());
            figure = figure.beside(name, edits[0].median() - edits[1].median());
        }
        section.figures.push(figure);
        section.figures.push(Figure::time(format!("{accounts} accounts: the new tokens alone"), &commits));
        section.figures.push(Figure::time("the disk alone: 4 KiB overwritten and synced", &syncs));
        run.runtime.block_on(store.close());
    }
    section.remarks.push(
        "Each of the two writes is one transaction that returns when it is on the disk. The peer's figure is its \
         command less opening a database of one entry."
            .into(),
    );
    Ok(section)
}

/// What the disk takes for the least that can be made durable.
struct Syncing(File);

impl Syncing {
    fn at(folder: &Path) -> anyhow::Result<Self> {
        let mut file = File::create(folder.join("synced"))?;
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        Ok(Self(file))
    }

    fn once(&mut self) -> anyhow::Result<Duration> {
        self.0.rewind()?;
        let ((), took) = timed(|| {
            self.0.write_all(&[1; 4096])?;
            Ok(self.0.sync_data()?)
        })?;
        Ok(took)
    }
}

/// The audit log at three lengths.
pub fn audit(run: &Run, vaults: &Vaults) -> anyhow::Result<Section> {
    let mut section = Section::new("Audit log");
    let path = copy_of(vaults.smallest().1, "audit")?;
    let one = vaults.all[0].2[0].account.id;
    let others: Vec<AccountId> = (1..ACCOUNTS_IN_LOG).map(|_| AccountId::make(now())).collect();
    let store = run.runtime.block_on(open(&path))?;
    let mut lines = 0;
    for length in run.log_lengths {
        run.say(&format!("a log of {length} lines"));
        while lines < length {
            let page: Vec<_> = (lines..length).take(10_000).map(|number| entry(number, one, &others)).collect();
            lines += page.len() as u64;
            run.runtime.block_on(store.append_audit(&page))?;
        }
        let line = [entry(0, one, &others)];
        let mut append = || Ok(run.runtime.block_on(timed_async(store.append_audit(&line)))?.1);
        let read = |account, wanted| {
            let filter = AuditFilter { account, limit: 100, ..AuditFilter::default() };
            let (found, took) = run.runtime.block_on(timed_async(store.audit(&filter)))?;
            let whole = found.iter().all(|line| matches!(line, AuditLine::Entry { .. }));
            ensure!(whole && found.len() >= wanted, "{} lines were read", found.len());
            Ok(took)
        };
        let hundred = |lines: u64| usize::try_from(lines.min(100)).unwrap_or(100);
        let [appended, newest, of_one] = in_turns(
            run.rounds * 5,
            &mut [&mut append, &mut || read(None, hundred(length)), &mut || {
                read(Some(one), hundred(length / ACCOUNTS_IN_LOG))
            }],
        )?;
        section.figures.push(Figure::time(format!("{length} lines: append one, durable"), &appended));
        section.figures.push(Figure::time(format!("{length} lines: the newest hundred"), &newest).below(20.0));
        section
            .figures
            .push(Figure::time(format!("{length} lines: the newest hundred of one account"), &of_one).below(20.0));
    }
    run.runtime.block_on(store.close());
    section.remarks.push(format!("The lines are of {ACCOUNTS_IN_LOG} accounts in turn. Appending has to stay flat."));
    Ok(section)
}

fn entry(number: u64, one: AccountId, others: &[AccountId]) -> AuditEntry {
    let which = usize::try_from(number % ACCOUNTS_IN_LOG).unwrap_or(0);
    AuditEntry {
        at: now(),
        action: AuditAction::TokenHandedOut,
        account: Some(others.get(which).copied().unwrap_or(one)),
        program: Some("/usr/bin/git (4711)".into()),
        detail: Some("a1b2c3d4 for openid profile email offline_access".into()),
    }
}

/// What a person does now and then, with the largest vault.
pub fn care(run: &Run, vaults: &Vaults) -> anyhow::Result<Section> {
    let mut section = Section::new("Care");
    let (accounts, made) = vaults.largest();
    let path = copy_of(made, "care")?;
    let vault = SqliteVault::new(&path);
    let (mut number, mut opened) = (0, 0);
    let mut check = || {
        let (report, took) = timed(|| {
            run.runtime.block_on(async {
                let store = vault.open(by_keyring()).await?;
                let report = store.check().await?;
                store.close().await;
                Ok(report)
            })
        })?;
        ensure!(report.damaged.is_empty() && report.database.is_empty(), "the check found {report:?}");
        opened = report.opened.iter().map(|(_, count)| count).sum();
        Ok(took)
    };
    let mut backup = || {
        number += 1;
        let to = path.with_file_name(format!("{number}.backup"));
        let (summary, took) = timed(|| {
            run.runtime.block_on(async {
                let store = vault.open(by_keyring()).await?;
                let summary = store.backup(&to, Passphrase::new(PASSPHRASE.into()), now()).await?;
                store.close().await;
                Ok(summary)
            })
        })?;
        ensure!(summary.accounts == accounts && summary.left_out == 0, "the backup holds {summary:?}");
        std::fs::remove_file(to)?;
        Ok(took)
    };
    let mut rekey = || {
        let work = vault.rekey(by_keyring(), UnlockMethod::Keyring, by_keyring(), done(), Arc::new(|| true));
        let ((), took) = timed(|| Ok(run.runtime.block_on(work)?))?;
        Ok(took)
    };
    let [checks, backups, rekeys] = in_turns(run.rounds.min(5), &mut [&mut check, &mut backup, &mut rekey])?;
    section.figures.push(Figure::time(format!("check of {accounts} accounts ({opened} records)"), &checks));
    section.figures.push(Figure::time("backup, opened again to see that it is whole", &backups));
    section.figures.push(Figure::time("rekey: every value sealed anew in a new file", &rekeys));
    section
        .remarks
        .push("Each opens the vault and closes it. The backup derives its key twice, by Argon2id at the floor.".into());
    Ok(section)
}

/// What a passphrase costs on this machine.
pub fn passphrase(run: &Run, _: &Vaults) -> anyhow::Result<Section> {
    let mut section = Section::new("Passphrase");
    let floor = PassphraseCost::default();
    let mut once = || Ok(timed(|| Ok(floor.try_out()?))?.1);
    let [least] = in_turns(run.rounds, &mut [&mut once])?;
    let calibrated = floor.scaled(Duration::from_secs_f64(least.median() / 1e3), PASSPHRASE_TIME);
    let path = run.folder.join("passphrase/vault.db");
    let vault = SqliteVault::new(&path).with_passphrase_time(PASSPHRASE_TIME);
    run.runtime.block_on(async {
        let id = holdfast_model::VaultId::make(now());
        vault.create(id, UnlockMethod::Passphrase, by_passphrase()).await?.close().await;
        anyhow::Ok(())
    })?;
    let mut unlock = || Ok(timed(|| Ok(run.runtime.block_on(vault.try_key(by_passphrase()))?))?.1);
    let [unlocks] = in_turns(run.rounds.min(5), &mut [&mut unlock])?;
    section.figures.push(Figure::time("Argon2id at the floor: 64 MiB, 3 passes, 1 lane", &least));
    section.figures.push(Figure::time("a passphrase of a vault that was made here", &unlocks));
    section.remarks.push(format!(
        "A vault made here takes about {} MiB, {} passes, {} lane; the target is {} ms. It is calibrated once, when the \
         passphrase is set, and a busy machine gets fewer passes.",
        calibrated.memory_kib() / 1024,
        calibrated.passes(),
        calibrated.lanes(),
        PASSPHRASE_TIME.as_millis()
    ));
    Ok(section)
}

/// The vault again in a folder of its own.
fn copy_of(path: &Path, what: &str) -> anyhow::Result<std::path::PathBuf> {
    let to = path.with_file_name(what).join("vault.db");
    move_vault(path, &to)?;
    Ok(to)
}

impl Run {
    /// A database of KeePassXC's with so many entries; `None` where it is not installed.
    fn keepassxc(&self, entries: u64) -> anyhow::Result<Option<keepassxc::Database>> {
        if self.peer(keepassxc::PROGRAM).is_none() {
            return Ok(None);
        }
        let folder = self.folder.join("keepassxc");
        std::fs::create_dir_all(&folder)?;
        keepassxc::Database::make(&folder, entries).map(Some)
    }
}
