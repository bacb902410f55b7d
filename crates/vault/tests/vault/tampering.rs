use holdfast_model::ports::{CheckReport, UnlockMethod, VaultContents, VaultError, VaultFile};

use crate::support::*;

/// What was reported, as `table/row`.
fn damage(contents: &VaultContents) -> Vec<String> {
    contents
        .damaged
        .iter()
        .map(|error| match error {
            VaultError::Damaged { table, row, how } => format!("{table}/{row} {how:?}"),
            other => panic!("{other}"),
        })
        .collect()
}

#[tokio::test]
async fn what_was_written_is_read_again_after_reopening() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let two = scene.sign_in(2).await;
    scene
        .store
        .put_provider(&provider("demo"), Some(&holdfast_model::ClientSecret::new("s3cret".into())))
        .await
        .unwrap();
    scene.store.put_provider(&provider("public"), None).await.unwrap();
    scene.reopen().await;

    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [one.account.clone(), two.account.clone()]);
    let expected = [&one.access, &one.refresh, &two.access, &two.refresh].map(Clone::clone);
    assert_eq!(contents.credentials, expected);
    assert_eq!(contents.providers, [provider("demo"), provider("public")]);
    assert!(contents.damaged.is_empty() && contents.unfinished.is_empty() && contents.revocations.is_empty());
    assert_eq!(scene.secret(&one.refresh).await, "refresh-1");
    assert_eq!(scene.secret(&two.access).await, "access-2");
    let secret = |name: &str| {
        let name = name.parse().unwrap();
        let store = scene.store.clone();
        async move { store.client_secret(&name).await.unwrap() }
    };
    assert_eq!(secret("demo").await.unwrap().expose_secret(), "s3cret");
    assert!(secret("public").await.is_none());
    assert!(secret("in-a-file").await.is_none());
}

#[tokio::test]
async fn two_accounts_that_swap_their_contents_are_both_damaged_and_the_third_loads() {
    let mut scene = Scene::new().await;
    let (one, two, three) = (scene.sign_in(1).await, scene.sign_in(2).await, scene.sign_in(3).await);
    let (a, b) = (literal(one.account.id.as_bytes()), literal(two.account.id.as_bytes()));
    scene
        .tamper(&format!(
            "CREATE TABLE s AS SELECT id, overview FROM accounts; \
             UPDATE accounts SET overview = (SELECT overview FROM s WHERE id = {b}) WHERE id = {a}; \
             UPDATE accounts SET overview = (SELECT overview FROM s WHERE id = {a}) WHERE id = {b}; DROP TABLE s"
        ))
        .await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [three.account]);
    assert_eq!(contents.credentials.len(), 6, "their credentials are whole");
    let expected = [one.account.id, two.account.id].map(|id| format!("accounts/{id} Changed"));
    assert_eq!(damage(&contents), expected);
}

#[tokio::test]
async fn a_secret_that_was_moved_to_another_credential_is_not_handed_out() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    let (from, to) = (literal(one.access.id.as_bytes()), literal(two.access.id.as_bytes()));
    scene
        .tamper(&format!(
            "UPDATE credentials SET secret = (SELECT secret FROM credentials WHERE id = {from}) WHERE id = {to}"
        ))
        .await;
    let moved = scene.store.secret(two.access.id).await;
    assert!(matches!(moved, Err(VaultError::Damaged { table: "credentials", .. })), "{moved:?}");
    assert_eq!(scene.secret(&one.access).await, "access-1");
}

#[tokio::test]
async fn a_refresh_token_does_not_pass_for_an_access_token_of_the_same_account() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let (from, to) = (literal(one.refresh.id.as_bytes()), literal(one.access.id.as_bytes()));
    scene
        .tamper(&format!(
            "UPDATE credentials SET secret = (SELECT secret FROM credentials WHERE id = {from}) WHERE id = {to}"
        ))
        .await;
    assert!(matches!(scene.store.secret(one.access.id).await, Err(VaultError::Damaged { .. })));
}

#[tokio::test]
async fn an_older_secret_put_back_into_its_own_row_does_not_open() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let id = literal(one.refresh.id.as_bytes());
    scene.tamper("CREATE TABLE kept AS SELECT id, secret FROM credentials").await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("a2", Some("r2"))).await.unwrap();
    scene
        .tamper(&format!("UPDATE credentials SET secret = (SELECT secret FROM kept WHERE id = {id}) WHERE id = {id}"))
        .await;
    assert!(matches!(scene.store.secret(one.refresh.id).await, Err(VaultError::Damaged { .. })));
}

#[tokio::test]
async fn a_credential_that_was_given_to_another_account_is_damaged() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    let (id, thief) = (literal(one.access.id.as_bytes()), literal(two.account.id.as_bytes()));
    scene.tamper(&format!("UPDATE credentials SET account_id = {thief} WHERE id = {id}")).await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(damage(&contents), [format!("credentials/{} Changed", one.access.id)]);
    assert_eq!(contents.credentials.len(), 3);
}

#[tokio::test]
async fn changed_generations_changed_bytes_and_duplicated_rows_are_reported_and_the_rest_loads() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.store.put_provider(&provider("demo"), None).await.unwrap();
    scene.store.sign_out(&[], vec![(revocation(5, one.account.id), "x".into_secret())]).await.unwrap();
    scene
        .tamper(&format!(
            "UPDATE accounts SET generation = generation + 1 WHERE id = {}; \
             UPDATE credentials SET generation = -1 WHERE id = {}; \
             UPDATE credentials SET overview = substr(overview, 1, length(overview) - 1) WHERE id = {}; \
             UPDATE revocations SET overview = x'00'; \
             INSERT INTO providers SELECT randomblob(16), generation, overview, secret FROM providers",
            literal(one.account.id.as_bytes()),
            literal(one.access.id.as_bytes()),
            literal(one.refresh.id.as_bytes()),
        ))
        .await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [two.account]);
    assert_eq!(contents.credentials, [two.access, two.refresh]);
    assert_eq!(contents.providers, [provider("demo")], "the copy under another id does not open");
    assert!(contents.revocations.is_empty());
    assert_eq!(contents.damaged.len(), 5, "{:?}", damage(&contents));
}

#[tokio::test]
async fn loading_does_not_repair_or_delete_what_is_damaged() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let id = literal(one.access.id.as_bytes());
    scene
        .tamper(&format!(
            "CREATE TABLE kept AS SELECT * FROM credentials; UPDATE credentials SET overview = x'00' WHERE id = {id}"
        ))
        .await;
    assert_eq!(scene.store.load().await.unwrap().damaged.len(), 1);
    scene.tamper("UPDATE credentials SET overview = (SELECT overview FROM kept WHERE kept.id = credentials.id)").await;
    let contents = scene.store.load().await.unwrap();
    assert!(contents.damaged.is_empty(), "the row was still there and whole");
    assert_eq!(scene.secret(&one.access).await, "access-1");
}

#[tokio::test]
async fn a_damaged_record_can_be_deleted_with_what_belongs_to_it_and_a_whole_one_cannot() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.store.put_provider(&provider("demo"), None).await.unwrap();
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    let queued = revocation(5, one.account.id);
    scene.store.sign_out(&[], vec![(queued.clone(), "given-up".into_secret())]).await.unwrap();
    let (account, credential) = (literal(one.account.id.as_bytes()), literal(two.access.id.as_bytes()));
    scene
        .tamper(&format!(
            "UPDATE accounts SET overview = x'00' WHERE id = {account}; \
             UPDATE credentials SET overview = x'00' WHERE id = {credential}; \
             UPDATE credentials SET account_id = {account} WHERE id = {credential}; \
             UPDATE providers SET overview = x'00', secret = x'00'; UPDATE revocations SET overview = x'00'"
        ))
        .await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.damaged.len(), 4, "{:?}", contents.damaged);
    for (table, row) in [
        ("accounts", two.account.id.to_string()),
        ("credentials", two.refresh.id.to_string()),
        ("accounts", one.access.id.to_string()),
        ("audit", "1".to_owned()),
        ("meta", VAULT.to_string()),
    ] {
        let refused = scene.store.delete_damaged(table, &row, &removed()).await;
        assert!(matches!(refused, Err(VaultError::NotFound)), "{table} {row}: {refused:?}");
    }
    let mut deleted = 0;
    for damaged in &contents.damaged {
        let VaultError::Damaged { table, row, .. } = damaged else { panic!("{damaged:?}") };
        match scene.store.delete_damaged(table, row, &removed()).await {
            Ok(()) => deleted += 1,
            // It went with its account.
            Err(VaultError::NotFound) => assert_eq!(*table, "credentials"),
            Err(other) => panic!("{damaged}: {other}"),
        }
    }
    scene.reopen().await;
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty() && report.database.is_empty(), "{report:?}");
    // One line for each deletion, and none for what was refused.
    let lines = entries(scene.store.audit(&newest(10)).await.unwrap());
    assert_eq!(lines, vec![removed(); deleted]);
    let contents = scene.store.load().await.unwrap();
    assert_eq!((contents.accounts, contents.credentials), (vec![two.account], vec![two.refresh.clone()]));
    assert_eq!(scene.secret(&two.refresh).await, "refresh-2");
    scene.store.close().await;
    let (method, done) = (UnlockMethod::Keyring, rekeyed());
    scene
        .file
        .rekey(keyring(), method, keyring(), done, wanted())
        .await
        .expect("nothing keeps the key from being changed");
}

#[tokio::test]
async fn a_record_whose_value_alone_is_damaged_can_be_deleted_and_then_the_key_be_changed() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let queued = revocation(5, one.account.id);
    scene.store.sign_out(&[], vec![(queued.clone(), "given-up".into_secret())]).await.unwrap();
    scene.tamper("UPDATE revocations SET secret = x'00'").await;
    let row = queued.id.to_string();
    assert!(
        matches!(&scene.store.check().await.unwrap().damaged[..], [VaultError::Damaged { row: of, .. }] if *of == row)
    );
    scene.store.delete_damaged("revocations", &row, &removed()).await.unwrap();
    assert!(scene.store.check().await.unwrap().damaged.is_empty());
    scene.store.close().await;
    scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await.unwrap();
}

#[tokio::test]
async fn of_a_doubled_row_neither_is_deleted_because_one_of_them_is_whole() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene
        .tamper(
            "CREATE TABLE doubled AS SELECT * FROM credentials; DROP TABLE credentials; \
             ALTER TABLE doubled RENAME TO credentials; INSERT INTO credentials SELECT * FROM credentials",
        )
        .await;
    scene.store.accept().await.unwrap();
    scene.reopen().await;
    let contents = scene.store.load().await.unwrap();
    assert!(!contents.damaged.is_empty(), "the second of each is told");
    let refused = scene.store.delete_damaged("credentials", &one.refresh.id.to_string(), &removed()).await;
    assert!(matches!(refused, Err(VaultError::NotFound)), "{refused:?}");
    assert_eq!(scene.secret(&one.refresh).await, "refresh-1");
}

/// What a check says, as `table/row how`.
fn said(report: &CheckReport) -> Vec<String> {
    report.damaged.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn credentials_whose_account_a_program_deleted_are_told_one_by_one_and_can_be_deleted_so_that_the_key_can_change()
{
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    let account = literal(one.account.id.as_bytes());
    scene.tamper(&format!("DELETE FROM accounts WHERE id = {account}")).await;
    scene.store.accept().await.unwrap();

    let strays = [&one.access, &one.refresh].map(|credential| format!("credentials/{} Stray", credential.id));
    let contents = scene.store.load().await.unwrap();
    assert_eq!((damage(&contents), &contents.credentials), (strays.to_vec(), &vec![two.access.clone(), two.refresh]));
    let report = scene.store.check().await.unwrap();
    assert_eq!(report.damaged.len(), 2, "{report:?}");
    assert!(said(&report).iter().all(|sentence| sentence.contains("belongs to no account")), "{report:?}");
    assert!(report.database.is_empty(), "each is told once: {report:?}");
    scene.store.close().await;
    let refused = scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await;
    assert!(matches!(refused, Err(VaultError::Damaged { table: "credentials", .. })), "{refused:?}");

    scene.reopen().await;
    for credential in [&one.access, &one.refresh] {
        scene.store.delete_damaged("credentials", &credential.id.to_string(), &removed()).await.unwrap();
    }
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty() && report.database.is_empty(), "its renewal is gone too: {report:?}");
    scene.store.close().await;
    scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await.unwrap();
    scene.reopen().await;
    assert_eq!(scene.secret(&two.access).await, "access-2");
}

/// Has the index of the credentials by account say that nobody has any, as its declaration does not show.
const NOBODY_HAS_ANY: &str = "PRAGMA writable_schema = ON; \
    UPDATE sqlite_schema SET sql = sql || ' WHERE generation < 0' WHERE name = 'credentials_of_account'; \
    PRAGMA writable_schema = RESET; REINDEX credentials_of_account; PRAGMA writable_schema = ON; \
    UPDATE sqlite_schema SET sql = replace(sql, ' WHERE generation < 0', '') WHERE name = 'credentials_of_account'; \
    PRAGMA writable_schema = RESET";

#[tokio::test]
async fn an_index_that_hides_the_credentials_of_an_account_keeps_none_of_them_from_being_told_or_deleted() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    let (gone, broken) = (literal(one.account.id.as_bytes()), literal(two.account.id.as_bytes()));
    let sql = format!(
        "DELETE FROM accounts WHERE id = {gone}; UPDATE accounts SET overview = x'00' WHERE id = {broken}; {NOBODY_HAS_ANY}"
    );
    scene.tamper(&sql).await;
    let report = scene.store.check().await.unwrap();
    assert!(report.database.iter().any(|sentence| sentence.contains("credentials_of_account")), "it lies: {report:?}");
    // The account first: what is deleted of the tokens mends the index.
    scene.store.delete_damaged("accounts", &two.account.id.to_string(), &removed()).await.unwrap();
    for credential in [&one.access, &one.refresh] {
        let row = credential.id.to_string();
        assert!(said(&report).iter().any(|sentence| sentence.contains(&row)), "{row}: {report:?}");
        scene.store.delete_damaged("credentials", &row, &removed()).await.unwrap();
    }
    scene.store.delete_damaged("accounts", &one.account.id.to_string(), &removed()).await.unwrap();
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty() && report.database.is_empty(), "{report:?}");
    let contents = scene.store.load().await.unwrap();
    assert!(contents.accounts.is_empty() && contents.credentials.is_empty(), "{contents:?}");
}

#[tokio::test]
async fn an_account_that_has_a_damaged_credential_is_known_for_one_that_has_more_than_what_opens() {
    let mut scene = Scene::new().await;
    let (one, two, three) = (scene.sign_in(1).await, scene.sign_in(2).await, scene.sign_in(3).await);
    let kept = "CREATE TABLE kept AS SELECT * FROM credentials";
    scene.tamper(kept).await;
    let fresh = SignedIn { access: credential_of(&three, 7), refresh: credential_of(&three, 8), ..three.clone() };
    let writes = vec![write(&fresh.access, Some("a")), write(&fresh.refresh, Some("r"))];
    scene.store.commit_sign_in(&three.account, writes, Vec::new()).await.unwrap();
    scene
        .tamper(&format!(
            "UPDATE credentials SET overview = x'00' WHERE id = {}; \
             INSERT INTO credentials SELECT * FROM kept WHERE account_id = {}; DROP TABLE kept",
            literal(one.refresh.id.as_bytes()),
            literal(three.account.id.as_bytes()),
        ))
        .await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.damaged.len(), 3, "{:?}", damage(&contents));
    assert_eq!(contents.incomplete, [one.account.id].into(), "what was put back is none that an account lacks");
    assert_eq!(contents.credentials, [one.access, two.access, two.refresh, fresh.access, fresh.refresh]);
}

fn credential_of(signed_in: &SignedIn, tail: u8) -> holdfast_model::Credential {
    let mut id = *signed_in.refresh.id.as_bytes();
    id[1] = tail;
    let kind = if tail == 7 { signed_in.access.kind } else { signed_in.refresh.kind };
    credential(&signed_in.account, holdfast_model::CredentialId::from_bytes(id), kind)
}

#[tokio::test]
async fn a_check_tells_what_each_keyslot_says_that_it_is() {
    let mut scene = Scene::new().await;
    scene.store.make_recovery_code().await.unwrap();
    scene.tamper("UPDATE keyslots SET salt = zeroblob(32) WHERE kind = 'recovery'").await;
    let report = scene.store.check().await.unwrap();
    let [VaultError::Damaged { table: "keyslots", row, .. }] = &report.damaged[..] else { panic!("{report:?}") };
    assert_eq!(report.keyslots.get(row).map(String::as_str), Some("recovery"));
    assert_eq!(report.keyslots.len(), 2, "{report:?}");
}
