//! What looking after the vault found and did, in words.

use holdfast_wire::{BackupReport, CheckReport, DamageKind, DamagedRecord, KeyslotKind, Standing, VaultStatus};

use crate::table::{pairs, table};
use crate::text::plain;
use crate::time::day_and_time;

/// What a check found. `behind_by`: by how many writes an older copy is behind.
pub fn check(report: &CheckReport, behind_by: Option<u64>) -> Vec<String> {
    let opened: Vec<_> = report.opened.iter().map(|table| [plain(&table.table), table.records.to_string()]).collect();
    let mut lines = table(["TABLE", "OPENED"], &opened);
    if !report.damaged.is_empty() {
        lines.push(String::new());
        let rows: Vec<_> = report.damaged.iter().map(damaged).collect();
        lines.extend(table(["DAMAGED IN", "RECORD", "WHAT IS WRONG"], &rows));
    }
    if !report.database.is_empty() {
        lines.push(String::new());
        lines.push("SQLite says of the file:".to_owned());
        lines.extend(report.database.iter().map(|sentence| format!("  {}", plain(sentence))));
    }
    lines.push(String::new());
    lines.push(if report.whole {
        "The vault is whole, and it is the newest state of itself.".to_owned()
    } else {
        format!("The vault is not whole: {}.", wrong(report, behind_by).join("; "))
    });
    lines
}

fn damaged(record: &DamagedRecord) -> [String; 3] {
    let what = match record.what {
        DamageKind::Changed => "does not open: changed outside Holdfast, or the disk failed",
        DamageKind::Missing => "is gone: deleted outside Holdfast, or the disk failed",
        DamageKind::Older => "is an older version, put back outside Holdfast",
        DamageKind::Unknown => "had been deleted, and was put back outside Holdfast",
        DamageKind::Stray => "belongs to no account: its account was deleted outside Holdfast, or the disk failed",
    };
    [kind(record), plain(&record.record), what.to_owned()]
}

/// A table as people call its records, with its own name where docs/vault-format.md has to be looked at.
fn kind(record: &DamagedRecord) -> String {
    match record.table.as_str() {
        "meta" => "meta (what the vault records of itself)".to_owned(),
        "keyslots" => match record.keyslot {
            None => "keyslots (a way to open it)".to_owned(),
            Some(KeyslotKind::Keyring) => "keyslots (a way to open it: the keyring)".to_owned(),
            Some(KeyslotKind::Passphrase) => "keyslots (a way to open it: the passphrase)".to_owned(),
            Some(KeyslotKind::Both) => "keyslots (a way to open it: keyring and passphrase)".to_owned(),
            Some(KeyslotKind::Recovery) => "keyslots (a way to open it: the recovery code)".to_owned(),
        },
        "refresh_journal" => "refresh_journal (a renewal under way)".to_owned(),
        "register" => "register (which records there are)".to_owned(),
        "audit" => "audit (a line of the log)".to_owned(),
        other => plain(other),
    }
}

/// What keeps the vault from being whole, a few words each.
pub fn wrong(report: &CheckReport, behind_by: Option<u64>) -> Vec<String> {
    let records = match report.damaged.len() {
        0 => None,
        1 => Some("1 record is damaged".to_owned()),
        many => Some(format!("{many} records are damaged")),
    };
    let database = (!report.database.is_empty()).then(|| "SQLite finds its file broken".to_owned());
    records.into_iter().chain(database).chain(standing(report.standing, behind_by)).collect()
}

/// Why a vault is not the newest state of itself; `None` when it is.
pub fn standing(standing: Standing, behind_by: Option<u64>) -> Option<String> {
    match (standing, behind_by) {
        (Standing::Current, _) => None,
        (Standing::Older, Some(1)) => Some("it is an older copy, at least 1 write behind".to_owned()),
        (Standing::Older, Some(by)) => Some(format!("it is an older copy, at least {by} writes behind")),
        (Standing::Older, None) => Some("it is an older copy".to_owned()),
        (Standing::Restored, _) => Some("it was restored from a backup".to_owned()),
        (Standing::Unrecorded, _) => Some("it cannot show that it is the newest state of itself".to_owned()),
    }
}

/// What accepting means for this vault, before the person decides.
pub fn what_accepting_means(report: &CheckReport, behind_by: Option<u64>) -> Vec<String> {
    let mut lines: Vec<String> = standing(report.standing, behind_by)
        .into_iter()
        .flat_map(|what| {
            [
                format!("Not the newest state of this vault: {what}."),
                "  Its refresh tokens may be spent. Using a spent one can end its session; then that account needs a \
                 new sign-in."
                    .to_owned(),
                "  Once accepted, Holdfast uses this vault, and a newer copy of it counts no more.".to_owned(),
            ]
        })
        .collect();
    let of_log = |record: &&DamagedRecord| record.table == "audit";
    // What the vault keeps of itself has rules of its own.
    let of_itself =
        |record: &&DamagedRecord| matches!(record.table.as_str(), "audit" | "keyslots" | "meta" | "register");
    let count = |kinds: &[DamageKind]| {
        report.damaged.iter().filter(|record| !of_itself(record) && kinds.contains(&record.what)).count()
    };
    let keyslots = |put_back: bool| {
        let of_kind = |record: &&DamagedRecord| (record.what == DamageKind::Unknown) == put_back;
        report.damaged.iter().filter(|record| record.table == "keyslots").filter(of_kind).count()
    };
    let sentence = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 record {one}")),
        count => Some(format!("{count} records {many}")),
    };
    lines.extend(sentence(count(&[DamageKind::Missing]), "is gone, and is forgotten.", "are gone, and are forgotten."));
    lines.extend(sentence(
        count(&[DamageKind::Older, DamageKind::Unknown]),
        "was put back outside Holdfast, and is taken as it is; the same holds of its refresh tokens.",
        "were put back outside Holdfast, and are taken as they are; the same holds of their refresh tokens.",
    ));
    lines.extend(sentence(
        count(&[DamageKind::Changed]),
        "does not open. It stays as it is, and stays damaged.",
        "do not open. They stay as they are, and stay damaged.",
    ));
    lines.extend(sentence(
        count(&[DamageKind::Stray]),
        "belongs to no account. It stays as it is, and is not used.",
        "belong to no account. They stay as they are, and are not used.",
    ));
    if report.damaged.iter().any(|record| matches!(record.table.as_str(), "meta" | "register")) {
        lines.push("What the vault records of itself is made anew from the records that are there.".to_owned());
    }
    if keyslots(true) > 0 {
        lines.push(
            "A way to open the vault was put back outside Holdfast. A recovery code that was replaced is deleted; another \
             way stays, until `holdfast rekey` ends it."
                .to_owned(),
        );
    }
    if keyslots(false) > 0 {
        lines.push(
            "A way to open the vault was changed or is gone. It is taken as it is, which mends nothing; `holdfast rekey` \
             makes new ones."
                .to_owned(),
        );
    }
    if report.damaged.iter().any(|record| of_log(&record)) {
        lines.push(
            "Lines of the log are missing or were changed. `holdfast log` goes on showing where, and no later check counts them."
                .to_owned(),
        );
    }
    lines
}

/// What whoever opened the vault has to know of it; nothing when all is well.
pub fn after_unlock(vault: &VaultStatus) -> Vec<String> {
    let standing = vault.standing.and_then(|found| standing(found, vault.behind_by));
    let unused =
        standing.map(|what| format!("Nothing of it is used yet: {what}. Decide with `holdfast check --accept`."));
    let damaged = match vault.damaged.unwrap_or_default() {
        0 => None,
        1 => Some("1 record is damaged, and is not used; `holdfast check` names it.".to_owned()),
        many => Some(format!("{many} records are damaged, and are not used; `holdfast check` names them.")),
    };
    unused.into_iter().chain(damaged).collect()
}

/// What `status` says of an open vault beside its state.
pub fn of_open_vault(vault: &VaultStatus) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(what) = vault.standing.and_then(|found| standing(found, vault.behind_by)) {
        rows.push(("standing", format!("{what}; nothing of it is used until `holdfast check --accept`")));
    }
    match vault.damaged.unwrap_or_default() {
        0 => {}
        1 => rows.push(("damaged", "1 record; `holdfast check` names it".to_owned())),
        many => rows.push(("damaged", format!("{many} records; `holdfast check` names them"))),
    }
    match vault.has_recovery_code {
        None => {}
        Some(true) => rows.push(("recovery code", "there is one".to_owned())),
        Some(false) => rows.push(("recovery code", "none; make one with `holdfast recovery-code`".to_owned())),
    }
    rows
}

/// What a backup holds.
pub fn backup(report: &BackupReport) -> Vec<String> {
    let rows = [
        ("made", day_and_time(report.made_at)),
        ("accounts", report.accounts.to_string()),
        ("credentials", report.credentials.to_string()),
        ("providers", report.providers.to_string()),
        ("queued revocations", report.revocations.to_string()),
        ("lines of the log", report.audit_lines.to_string()),
    ];
    pairs(&rows).into_iter().map(|line| format!("  {line}")).collect()
}

/// Says what a backup could not take along; `None` when it holds everything.
pub fn left_out(report: &BackupReport) -> Option<String> {
    match report.left_out {
        0 => None,
        1 => Some("1 record of the vault is damaged, and is not in the backup; `holdfast check` names it.".to_owned()),
        many => Some(format!(
            "{many} records of the vault are damaged, and are not in the backup; `holdfast check` names them."
        )),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_wire::{CheckedTable, VaultState};

    use super::*;

    fn report(standing: Standing, damaged: &[DamageKind]) -> CheckReport {
        CheckReport {
            whole: standing == Standing::Current && damaged.is_empty(),
            standing,
            opened: vec![CheckedTable { table: "accounts".to_owned(), records: 12 }],
            damaged: damaged
                .iter()
                .map(|what| DamagedRecord {
                    table: "credentials".to_owned(),
                    record: "01".to_owned(),
                    what: *what,
                    text: String::new(),
                    keyslot: None,
                })
                .collect(),
            database: Vec::new(),
        }
    }

    #[test]
    fn a_whole_vault_is_said_to_be_whole_and_nothing_else() {
        let lines = check(&report(Standing::Current, &[]), None);
        assert_eq!(lines[1], "accounts  12");
        assert!(lines.last().is_some_and(|line| line.starts_with("The vault is whole")), "{lines:?}");
        assert!(what_accepting_means(&report(Standing::Current, &[]), None).is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_by_record_and_summed_up_at_the_end() {
        let mut report = report(Standing::Older, &[DamageKind::Changed, DamageKind::Missing]);
        report.database.push("row 3 missing from index i\u{1b}[2J".to_owned());
        let lines = check(&report, Some(7));
        let text = lines.join("\n");
        assert!(text.contains("credentials  01      does not open"), "{text}");
        assert!(text.contains("is gone") && text.contains("row 3 missing"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let last = "The vault is not whole: 2 records are damaged; SQLite finds its file broken; it is an older copy, at \
                    least 7 writes behind.";
        assert_eq!(lines.last().map(String::as_str), Some(last));
    }

    #[test]
    fn whoever_unlocks_is_told_what_is_wrong_and_nothing_when_all_is_well() {
        let vault = |standing, damaged| VaultStatus {
            state: VaultState::Unlocked,
            unlock: None,
            problem: None,
            locked_because: None,
            standing: Some(standing),
            behind_by: None,
            damaged: Some(damaged),
            has_recovery_code: Some(false),
        };
        assert!(after_unlock(&vault(Standing::Current, 0)).is_empty());
        let lines = after_unlock(&vault(Standing::Older, 3));
        assert!(lines[0].contains("older copy") && lines[1].starts_with("3 records are damaged"), "{lines:?}");
    }

    #[test]
    fn what_the_vault_keeps_of_itself_is_accepted_by_rules_of_its_own() {
        let told = |table: &str, what| {
            let mut report = report(Standing::Current, &[what]);
            report.damaged[0].table = table.to_owned();
            what_accepting_means(&report, None).join("\n")
        };
        let put_back = told("keyslots", DamageKind::Unknown);
        assert!(put_back.contains("is deleted") && !put_back.contains("taken as it is"), "{put_back}");
        assert!(told("keyslots", DamageKind::Changed).contains("`holdfast rekey` makes new ones"));
        assert!(told("register", DamageKind::Changed).contains("made anew"));
        assert!(!told("meta", DamageKind::Changed).contains("stays damaged"));
    }

    #[test]
    fn a_damaged_way_to_open_the_vault_is_named_as_far_as_it_says_what_it_is() {
        let named = |keyslot| {
            let mut report = report(Standing::Current, &[DamageKind::Changed]);
            report.damaged[0].table = "keyslots".to_owned();
            report.damaged[0].keyslot = keyslot;
            check(&report, None).join("\n")
        };
        assert!(named(None).contains("keyslots (a way to open it)"));
        for (kind, words) in [
            (KeyslotKind::Keyring, ": the keyring)"),
            (KeyslotKind::Passphrase, ": the passphrase)"),
            (KeyslotKind::Both, ": keyring and passphrase)"),
            (KeyslotKind::Recovery, ": the recovery code)"),
        ] {
            assert!(named(Some(kind)).contains(words), "{}", named(Some(kind)));
        }
    }

    #[test]
    fn whoever_accepts_is_told_what_it_costs() {
        let kinds =
            [DamageKind::Missing, DamageKind::Older, DamageKind::Unknown, DamageKind::Changed, DamageKind::Stray];
        let text = what_accepting_means(&report(Standing::Older, &kinds), Some(1)).join("\n");
        for words in [
            "at least 1 write behind",
            "may be spent",
            "can end its session",
            "1 record is gone, and is forgotten",
            "2 records were put back",
            "1 record does not open",
            "1 record belongs to no account",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let mut gap = report(Standing::Current, &[DamageKind::Missing]);
        gap.damaged[0].table = "audit".to_owned();
        let text = what_accepting_means(&gap, None).join("\n");
        assert!(text.contains("holdfast log") && !text.contains("forgotten") && !text.contains("newest"), "{text}");
    }
}
