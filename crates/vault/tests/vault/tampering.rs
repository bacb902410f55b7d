use holdfast_model::ports::{UnlockMethod, VaultContents, VaultError, VaultFile};

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
        let refused = scene.store.delete_damaged(table, &row).await;
        assert!(matches!(refused, Err(VaultError::NotFound)), "{table} {row}: {refused:?}");
    }
    for damaged in &contents.damaged {
        let VaultError::Damaged { table, row, .. } = damaged else { panic!("{damaged:?}") };
        match scene.store.delete_damaged(table, row).await {
            Ok(()) => {}
            // It went with its account.
            Err(VaultError::NotFound) => assert_eq!(*table, "credentials"),
            Err(other) => panic!("{damaged}: {other}"),
        }
    }
    scene.reopen().await;
    let report = scene.store.check().await.unwrap();
    assert!(report.damaged.is_empty() && report.database.is_empty(), "{report:?}");
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
    scene.store.delete_damaged("revocations", &row).await.unwrap();
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
    let refused = scene.store.delete_damaged("credentials", &one.refresh.id.to_string()).await;
    assert!(matches!(refused, Err(VaultError::NotFound)), "{refused:?}");
    assert_eq!(scene.secret(&one.refresh).await, "refresh-1");
}
