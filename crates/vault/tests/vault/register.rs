//! Records that are taken away, put back or made double, as somebody with an SQL shell would.

use holdfast_model::ports::{
    AuditLine, Damage, RefreshIntent, Standing, UnlockMaterial, VaultContents, VaultError, VaultFile as _,
};

use crate::support::*;

/// What was reported, as `table/row how`.
fn damage(contents: &VaultContents) -> Vec<String> {
    let mut damage: Vec<String> = contents
        .damaged
        .iter()
        .map(|error| match error {
            VaultError::Damaged { table, row, how } => format!("{table}/{row} {how:?}"),
            other => panic!("{other}"),
        })
        .collect();
    damage.sort();
    damage
}

fn said(table: &str, row: impl std::fmt::Display, how: Damage) -> String {
    format!("{table}/{row} {how:?}")
}

/// Keeps a copy of every table, as an attacker with an old file has it.
const KEEP: &str = "CREATE TABLE kept_providers AS SELECT * FROM providers; \
    CREATE TABLE kept_accounts AS SELECT * FROM accounts; \
    CREATE TABLE kept_credentials AS SELECT * FROM credentials; \
    CREATE TABLE kept_journal AS SELECT * FROM refresh_journal; \
    CREATE TABLE kept_revocations AS SELECT * FROM revocations; \
    CREATE TABLE kept_register AS SELECT * FROM register; CREATE TABLE kept_meta AS SELECT * FROM meta; \
    CREATE TABLE kept_keyslots AS SELECT * FROM keyslots";

#[tokio::test]
async fn a_deleted_record_of_any_table_is_named_and_the_rest_loads() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.store.put_provider(&provider("demo"), None).await.unwrap();
    scene.store.begin_refresh(&two.intent()).await.unwrap();
    let queued = revocation(5, one.account.id);
    scene.store.sign_out(&[], vec![(queued.clone(), "x".into_secret())]).await.unwrap();
    scene
        .tamper(&format!(
            "DELETE FROM providers; DELETE FROM accounts WHERE id = {}; DELETE FROM credentials WHERE id = {}; \
             DELETE FROM refresh_journal; DELETE FROM revocations",
            literal(one.account.id.as_bytes()),
            literal(two.access.id.as_bytes()),
        ))
        .await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, std::slice::from_ref(&two.account));
    assert_eq!(contents.credentials, std::slice::from_ref(&two.refresh));
    let reported = damage(&contents);
    assert_eq!(reported.len(), 7, "{reported:?}");
    for expected in [
        said("accounts", one.account.id, Damage::Missing),
        said("credentials", one.access.id, Damage::Stray),
        said("credentials", one.refresh.id, Damage::Stray),
        said("credentials", two.access.id, Damage::Missing),
        said("refresh_journal", two.refresh.id, Damage::Missing),
        said("revocations", queued.id, Damage::Missing),
    ] {
        assert!(reported.contains(&expected), "{expected} in {reported:?}");
    }
    assert!(reported.iter().any(|said| said.starts_with("providers/") && said.ends_with("Missing")));
}

#[tokio::test]
async fn a_credential_that_was_put_back_whole_at_its_older_generation_is_named_and_not_used() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.tamper(KEEP).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("a2", Some("r2"))).await.unwrap();
    let id = literal(one.refresh.id.as_bytes());
    scene.tamper(&format!("REPLACE INTO credentials SELECT * FROM kept_credentials WHERE id = {id}")).await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(damage(&contents), [said("credentials", one.refresh.id, Damage::Older)]);
    assert_eq!(contents.credentials.len(), 3, "the spent refresh token is not among them");
    assert!(contents.credentials.iter().all(|credential| credential.id != one.refresh.id));
    assert_eq!(contents.accounts, [one.account, two.account]);
}

#[tokio::test]
async fn a_record_that_was_deleted_and_put_back_is_named_and_not_used() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.store.put_provider(&provider("demo"), Some(&holdfast_model::ClientSecret::new("old".into()))).await.unwrap();
    scene.tamper(KEEP).await;
    scene.store.delete_account(one.account.id).await.unwrap();
    scene.store.delete_provider(&provider("demo").name).await.unwrap();
    scene
        .tamper(
            "INSERT OR IGNORE INTO accounts SELECT * FROM kept_accounts; \
             INSERT OR IGNORE INTO credentials SELECT * FROM kept_credentials; \
             INSERT INTO providers SELECT * FROM kept_providers",
        )
        .await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [two.account]);
    assert_eq!(contents.credentials, [two.access, two.refresh]);
    assert!(contents.providers.is_empty());
    let reported = damage(&contents);
    assert_eq!(reported.len(), 4, "{reported:?}");
    assert!(reported.iter().all(|said| said.ends_with("Unknown")), "{reported:?}");
}

#[tokio::test]
async fn a_provider_that_was_added_again_under_its_name_does_not_take_its_old_secret_back() {
    let mut scene = Scene::new().await;
    let secret = |text: &str| holdfast_model::ClientSecret::new(text.into());
    scene.store.put_provider(&provider("demo"), Some(&secret("old"))).await.unwrap();
    scene.tamper(KEEP).await;
    scene.store.delete_provider(&provider("demo").name).await.unwrap();
    scene.store.put_provider(&provider("demo"), Some(&secret("new"))).await.unwrap();
    scene.tamper("UPDATE providers SET secret = (SELECT secret FROM kept_providers)").await;
    let opened = scene.store.client_secret(&provider("demo").name).await;
    assert!(matches!(opened, Err(VaultError::Damaged { .. })), "{opened:?}");
}

/// Says of a value that was asked for why it was not given.
fn refused<T: std::fmt::Debug>(value: Result<T, VaultError>) -> Damage {
    match value {
        Err(VaultError::Damaged { how, .. }) => how,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_value_is_not_given_out_of_a_row_that_was_put_back_or_taken_away_while_the_vault_is_open() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let queued = revocation(5, one.account.id);
    let secret = holdfast_model::ClientSecret::new("old".into());
    scene.store.put_provider(&provider("demo"), Some(&secret)).await.unwrap();
    scene.store.sign_out(&[], vec![(queued.clone(), "x".into_secret())]).await.unwrap();
    scene.tamper(KEEP).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("a2", Some("r2"))).await.unwrap();
    scene.store.put_provider(&provider("demo"), Some(&holdfast_model::ClientSecret::new("new".into()))).await.unwrap();
    scene.store.delete_revocation(queued.id).await.unwrap();
    scene
        .tamper(
            "REPLACE INTO credentials SELECT * FROM kept_credentials; \
             REPLACE INTO providers SELECT * FROM kept_providers; INSERT INTO revocations SELECT * FROM kept_revocations",
        )
        .await;
    assert_eq!(refused(scene.store.secret(one.refresh.id).await), Damage::Older);
    assert_eq!(refused(scene.store.client_secret(&provider("demo").name).await), Damage::Older);
    assert_eq!(refused(scene.store.revocation_token(queued.id).await), Damage::Unknown);

    scene.tamper("DELETE FROM credentials; DELETE FROM providers; DELETE FROM revocations").await;
    assert!(matches!(scene.store.secret(one.refresh.id).await, Err(VaultError::NotFound)));
    let public = scene.store.client_secret(&provider("demo").name).await;
    assert_eq!(refused(public), Damage::Missing, "a client with a secret does not pass for one without");
    assert_eq!(scene.store.client_secret(&provider("other").name).await.unwrap().map(|_| ()), None);
}

#[tokio::test]
async fn a_record_that_was_put_back_with_its_part_of_the_register_broken_is_not_used_until_the_vault_is_accepted() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.tamper(KEEP).await;
    scene.store.delete_account(one.account.id).await.unwrap();
    let put_back = "INSERT INTO accounts SELECT * FROM kept_accounts WHERE id NOT IN (SELECT id FROM accounts); \
                    INSERT INTO credentials SELECT * FROM kept_credentials WHERE id NOT IN (SELECT id FROM credentials)";
    for broken in
        ["DELETE FROM register WHERE bucket = 1", "UPDATE register SET overview = zeroblob(200) WHERE bucket = 1"]
    {
        scene.tamper(&format!("{put_back}; {broken}")).await;
        let contents = scene.store.load().await.unwrap();
        assert_eq!(contents.standing, Standing::Unrecorded, "{broken}");
        assert_eq!(contents.accounts.len(), 2, "it is there to be looked at: {broken}");
        assert!(matches!(scene.store.put_account(&two.account).await, Err(VaultError::Unaccepted)), "{broken}");
    }
    scene.store.accept().await.unwrap();
    scene.store.put_account(&two.account).await.unwrap();
}

#[tokio::test]
async fn a_part_of_the_register_that_breaks_while_the_vault_is_open_takes_no_write_and_gives_no_value() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    run_sql(&scene.path(), "UPDATE register SET overview = zeroblob(200) WHERE bucket = 1").await;
    assert_eq!(refused(scene.store.secret(one.refresh.id).await), Damage::Changed);
    assert_eq!(refused(scene.store.put_account(&one.account).await), Damage::Changed);
}

#[tokio::test]
async fn a_record_that_was_put_back_while_the_vault_is_open_is_not_taken_for_the_newest_by_the_next_write() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    run_sql(&scene.path(), KEEP).await;
    scene.store.put_account(&one.account).await.unwrap();
    scene.store.put_account(&one.account).await.unwrap();
    run_sql(&scene.path(), "REPLACE INTO accounts SELECT * FROM kept_accounts").await;
    assert_eq!(refused(scene.store.put_account(&one.account).await), Damage::Older);
}

#[tokio::test]
async fn a_register_that_was_changed_cut_or_put_back_is_named_and_hides_no_record() {
    for (sql, how) in [
        ("UPDATE register SET overview = substr(overview, 1, length(overview) - 1)", "Changed"),
        ("UPDATE register SET overview = x'00'", "Changed"),
        ("DELETE FROM register", "Missing"),
        ("REPLACE INTO register SELECT * FROM kept_register", "Older"),
    ] {
        let mut scene = Scene::new().await;
        let one = scene.sign_in(1).await;
        scene.tamper(KEEP).await;
        scene.store.put_account(&one.account).await.unwrap();
        scene.tamper(sql).await;
        let contents = scene.store.load().await.unwrap();
        assert_eq!(contents.accounts, std::slice::from_ref(&one.account), "{sql}");
        let reported = damage(&contents);
        assert!(
            !reported.is_empty() && reported.iter().all(|said| said.starts_with("register/") && said.ends_with(how)),
            "{sql}: {reported:?}"
        );

        assert_eq!(contents.standing, Standing::Unrecorded, "{sql}");
        assert!(matches!(scene.store.put_account(&one.account).await, Err(VaultError::Unaccepted)), "{sql}");

        // Once the person has decided, what is there counts.
        scene.store.accept().await.unwrap();
        scene.store.put_account(&one.account).await.unwrap();
        scene.reopen().await;
        assert!(damage(&scene.store.load().await.unwrap()).is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn a_record_of_the_vault_that_does_not_open_leaves_the_vault_to_be_read_until_the_person_decides() {
    for sql in ["UPDATE meta SET overview = x'00'", "UPDATE meta SET generation = generation + 1"] {
        let mut scene = Scene::new().await;
        let one = scene.sign_in(1).await;
        scene.tamper(sql).await;
        let contents = scene.store.load().await.unwrap();
        assert_eq!(contents.standing, Standing::Unrecorded, "{sql}");
        assert_eq!(contents.accounts, std::slice::from_ref(&one.account));
        assert_eq!(scene.secret(&one.access).await, "access-1");
        let refused = scene.store.put_account(&one.account).await;
        assert!(matches!(refused, Err(VaultError::Unaccepted)), "{refused:?}");
        scene.store.accept().await.unwrap();
        scene.store.put_account(&one.account).await.unwrap();
        scene.reopen().await;
        let contents = scene.store.load().await.unwrap();
        assert!(contents.damaged.is_empty() && contents.standing == Standing::Current, "{:?}", contents.damaged);
    }
}

#[tokio::test]
async fn a_bucket_that_there_is_not_is_named() {
    let mut scene = Scene::new().await;
    scene.sign_in(1).await;
    scene
        .tamper(
            "PRAGMA ignore_check_constraints = ON; \
             INSERT INTO register SELECT bucket + 256, generation, overview FROM register LIMIT 1",
        )
        .await;
    let reported = damage(&scene.store.load().await.unwrap());
    assert!(reported.len() == 1 && reported[0].starts_with("register/"), "{reported:?}");
    scene.store.accept().await.unwrap();
    assert!(damage(&scene.store.load().await.unwrap()).is_empty());
}

#[tokio::test]
async fn accepting_a_vault_without_its_record_leaves_nothing_of_the_old_register_to_be_reported() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.delete_account(one.account.id).await.unwrap();
    scene.tamper("UPDATE meta SET overview = x'00'").await;
    scene.store.accept().await.unwrap();
    scene.reopen().await;
    assert!(damage(&scene.store.load().await.unwrap()).is_empty());
}

#[tokio::test]
async fn an_older_journal_line_of_the_same_generation_is_named_and_not_used() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.tamper(KEEP).await;
    // The second try, after the answer to the first was lost.
    let again = RefreshIntent { sent_at: NOW.plus_millis(1), ..one.intent() };
    scene.store.begin_refresh(&again).await.unwrap();
    assert_eq!(scene.store.load().await.unwrap().unfinished, [again]);
    scene.tamper("REPLACE INTO refresh_journal SELECT * FROM kept_journal").await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(damage(&contents), [said("refresh_journal", one.refresh.id, Damage::Older)]);
    assert!(contents.unfinished.is_empty());
}

#[tokio::test]
async fn keyslots_that_were_taken_away_or_put_back_are_named() {
    let mut scene = Scene::new().await;
    scene.store.make_recovery_code().await.unwrap();
    scene.tamper(KEEP).await;
    scene.store.make_recovery_code().await.unwrap();
    scene.tamper("INSERT INTO keyslots SELECT * FROM kept_keyslots WHERE kind = 'recovery'").await;
    let reported = damage(&scene.store.load().await.unwrap());
    assert!(
        reported.len() == 1 && reported[0].starts_with("keyslots/") && reported[0].ends_with("Unknown"),
        "{reported:?}"
    );
    scene.tamper("DELETE FROM keyslots WHERE kind = 'recovery'").await;
    let reported = damage(&scene.store.load().await.unwrap());
    assert!(reported.len() == 1 && reported[0].ends_with("Missing"), "{reported:?}");
}

#[tokio::test]
async fn accepting_forgets_what_is_missing_takes_over_what_was_put_back_and_keeps_what_does_not_open() {
    let mut scene = Scene::new().await;
    let (one, two, three) = (scene.sign_in(1).await, scene.sign_in(2).await, scene.sign_in(3).await);
    scene.tamper(KEEP).await;
    scene.store.put_account(&two.account).await.unwrap();
    scene
        .tamper(&format!(
            "DELETE FROM credentials WHERE account_id = {0}; DELETE FROM accounts WHERE id = {0}; \
             REPLACE INTO accounts SELECT * FROM kept_accounts WHERE id = {1}; \
             UPDATE credentials SET overview = x'00' WHERE id = {2}",
            literal(one.account.id.as_bytes()),
            literal(two.account.id.as_bytes()),
            literal(three.access.id.as_bytes()),
        ))
        .await;
    assert_eq!(scene.store.load().await.unwrap().damaged.len(), 5);
    scene.store.accept().await.unwrap();
    let mut contents = scene.store.load().await.unwrap();
    assert_eq!(damage(&contents), [said("credentials", three.access.id, Damage::Changed)]);
    contents.accounts.sort_by_key(|account| account.id);
    assert_eq!(contents.accounts, [two.account, three.account]);
}

#[tokio::test]
async fn a_check_of_a_whole_vault_counts_everything_and_finds_nothing() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.sign_in(2).await;
    scene.store.put_provider(&provider("demo"), None).await.unwrap();
    scene.store.sign_out(&[], vec![(revocation(5, one.account.id), "x".into_secret())]).await.unwrap();
    scene.store.append_audit(&[audit_entry(None, "a"), audit_entry(None, "b")]).await.unwrap();
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty() && report.database.is_empty(), "{report:?}");
    let counted = |table| report.opened.iter().find(|(name, _)| *name == table).map(|(_, count)| *count);
    let expected = [("providers", 1), ("accounts", 2), ("credentials", 4), ("revocations", 1), ("audit", 2)];
    for (table, count) in expected {
        assert_eq!(counted(table), Some(count), "{table}");
    }
}

#[tokio::test]
async fn a_check_finds_a_changed_value_that_a_list_does_not_open() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let id = literal(one.refresh.id.as_bytes());
    scene
        .tamper(&format!("UPDATE credentials SET secret = substr(secret, 1, length(secret) - 1) WHERE id = {id}"))
        .await;
    assert!(scene.store.load().await.unwrap().damaged.is_empty(), "a list opens no value");
    let report = scene.store.check().await.unwrap();
    let named = |error: &VaultError| matches!(error, VaultError::Damaged { table: "credentials", row, .. } if *row == one.refresh.id.to_string());
    assert!(report.damaged.len() == 1 && named(&report.damaged[0]), "{report:?}");
}

#[tokio::test]
async fn accepting_does_not_believe_a_number_that_somebody_wrote_beside_the_log_and_the_log_goes_on() {
    let mut scene = Scene::new().await;
    for text in ["a", "b", "c"] {
        scene.store.append_audit(&[audit_entry(None, text)]).await.unwrap();
    }
    for number in ["500000", "9223372036854775807", "6"] {
        scene
            .tamper(&format!(
                "INSERT INTO audit SELECT {number}, account_id, overview FROM audit WHERE seq = 2; UPDATE meta SET overview = x'00'"
            ))
            .await;
        scene.store.accept().await.unwrap();
        scene.store.append_audit(&[audit_entry(None, number)]).await.unwrap();
    }
    let log = scene.store.audit(&newest(100)).await.unwrap();
    let told: Vec<_> = log
        .into_iter()
        .filter_map(|line| if let AuditLine::Entry { entry, .. } = line { entry.detail } else { None })
        .collect();
    assert_eq!(told, ["a", "b", "c", "500000", "9223372036854775807", "6"]);
}

#[tokio::test]
async fn a_row_that_was_planted_behind_the_log_hides_no_line_that_is_taken_out_after_it_was_accepted() {
    let mut scene = Scene::new().await;
    for text in ["a", "b", "c"] {
        scene.store.append_audit(&[audit_entry(None, text)]).await.unwrap();
    }
    // One where the next lines will stand, one far behind, one before; and so many beside each other that ranges are joined.
    let plant =
        |number: i64| format!("INSERT INTO audit SELECT {number}, account_id, overview FROM audit WHERE seq = 2");
    let planted: Vec<_> = [6, 1_000_000, -3].into_iter().chain((5..80).map(|at| 2 * at)).map(plant).collect();
    scene.tamper(&planted.join("; ")).await;
    scene.store.accept().await.unwrap();
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
    scene.store.append_audit(&vec![audit_entry(None, "d"); 200]).await.unwrap();
    for number in [6, 11, 150] {
        scene.tamper(&format!("DELETE FROM audit WHERE seq = {number}")).await;
        let told: Vec<_> = scene.store.check().await.unwrap().damaged.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(&format!("record {number} in audit"))), "{number}: {told:?}");
    }
}

#[tokio::test]
async fn accepting_does_not_bring_back_a_recovery_code_that_was_replaced() {
    let mut scene = Scene::new().await;
    let old = scene.store.make_recovery_code().await.unwrap();
    scene.tamper(KEEP).await;
    let new = scene.store.make_recovery_code().await.unwrap();
    scene.tamper("INSERT INTO keyslots SELECT * FROM kept_keyslots WHERE kind = 'recovery'").await;
    scene.store.accept().await.unwrap();
    scene.store.close().await;
    let by = |code| UnlockMaterial { recovery: Some(code), ..UnlockMaterial::default() };
    assert!(scene.file.open(by(old)).await.is_err());
    scene.file.open(by(new)).await.unwrap().close().await;
}

#[tokio::test]
async fn accepting_settles_the_lines_that_are_gone_and_the_log_goes_on_telling_of_them() {
    let mut scene = Scene::new().await;
    for text in ["a", "b", "c", "d", "e"] {
        scene.store.append_audit(&[audit_entry(None, text)]).await.unwrap();
    }
    scene.tamper("DELETE FROM audit WHERE seq = 2; UPDATE audit SET overview = zeroblob(200) WHERE seq = 4").await;
    let rows = |report: &holdfast_model::ports::CheckReport| {
        report.damaged.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let report = scene.store.check().await.unwrap();
    assert_eq!(report.damaged.len(), 2, "{:?}", rows(&report));
    scene.store.accept().await.unwrap();
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty(), "{:?}", rows(&report));
    let log = scene.store.audit(&newest(10)).await.unwrap();
    let told = |line: &AuditLine| !matches!(line, AuditLine::Entry { .. });
    assert_eq!(log.iter().filter(|line| told(line)).count(), 2, "{log:?}");

    scene.tamper("DELETE FROM audit WHERE seq = 3").await;
    let report = scene.store.check().await.unwrap();
    assert_eq!(report.damaged.len(), 1, "what goes after that is news: {:?}", rows(&report));
}

#[tokio::test]
async fn a_newest_line_that_was_changed_shows_after_accepting_too_and_its_number_is_not_used_again() {
    let mut scene = Scene::new().await;
    for text in ["a", "b", "c"] {
        scene.store.append_audit(&[audit_entry(None, text)]).await.unwrap();
    }
    scene.tamper("UPDATE audit SET overview = zeroblob(200) WHERE seq IN (1, 3)").await;
    scene.store.accept().await.unwrap();
    scene.store.append_audit(&[audit_entry(None, "d")]).await.unwrap();
    let log = scene.store.audit(&newest(10)).await.unwrap();
    let changed = |line: &AuditLine| match line {
        AuditLine::Changed { seq } => Some(*seq),
        _ => None,
    };
    assert_eq!(log.iter().filter_map(changed).collect::<Vec<_>>(), [1, 3], "{log:?}");
    assert_eq!(log.len(), 4, "{log:?}");
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
}
