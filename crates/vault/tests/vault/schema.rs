//! Tables that were declared anew behind Holdfast's back, and vaults that were made to look older than they are.

use holdfast_model::ports::{Standing, UnlockMethod, VaultError, VaultFile, VaultStore};

use crate::support::*;

const LOST_CONSTRAINT: &str = "PRAGMA writable_schema = ON; \
    UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (length(id) = 16)', '') WHERE name = 'accounts'; \
    PRAGMA writable_schema = RESET";

/// An index under a name that only SQLite itself may give.
const HIDDEN_INDEX: &str = "CREATE INDEX spy ON credentials (secret); PRAGMA writable_schema = ON; \
    UPDATE sqlite_schema SET name = 'sqlite_spy', sql = replace(sql, 'spy', 'sqlite_spy') WHERE name = 'spy'; \
    PRAGMA writable_schema = RESET";

/// Makes a file of format 2 look like one of format 1.
const DOWNGRADE: &str = "DROP TABLE register; ALTER TABLE meta DROP COLUMN generation; \
    ALTER TABLE meta DROP COLUMN overview; PRAGMA user_version = 1";

async fn standing(store: &dyn VaultStore) -> Standing {
    store.load().await.unwrap().standing
}

async fn told(store: &dyn VaultStore) -> Vec<String> {
    store.check().await.unwrap().database
}

#[tokio::test]
async fn a_schema_that_was_changed_is_told_and_the_vault_is_only_looked_at_until_it_is_accepted() {
    for (sql, part) in [
        ("CREATE INDEX spy ON credentials (secret)", "index spy was added"),
        ("CREATE UNIQUE INDEX sticks ON accounts (generation)", "index sticks was added"),
        (HIDDEN_INDEX, "index sqlite_spy was added"),
        ("DROP INDEX credentials_of_account", "index credentials_of_account is missing"),
        (LOST_CONSTRAINT, "table accounts is declared in another way"),
        ("CREATE TABLE ties (a REFERENCES Credentials (id))", "table ties was added"),
    ] {
        let mut scene = Scene::new().await;
        let one = scene.sign_in(1).await;
        scene.tamper(sql).await;
        assert_eq!(standing(scene.store.as_ref()).await, Standing::Unrecorded, "{sql}");
        assert_eq!(scene.secret(&one.access).await, "access-1", "it can be looked at");
        assert!(matches!(scene.store.put_account(&one.account).await, Err(VaultError::Unaccepted)), "{sql}");
        let said = told(scene.store.as_ref()).await;
        assert!(said.iter().any(|sentence| sentence.contains(part)), "{sql}: {said:?}");

        scene.store.accept().await.unwrap();
        scene.reopen().await;
        assert_eq!(standing(scene.store.as_ref()).await, Standing::Current, "{sql}: it was decided");
        scene.store.put_account(&one.account).await.unwrap();
        assert!(!told(scene.store.as_ref()).await.is_empty(), "{sql}: it is still there");
        scene.tamper("CREATE INDEX another ON accounts (generation)").await;
        assert_eq!(standing(scene.store.as_ref()).await, Standing::Unrecorded, "{sql}: that was not decided");
        scene.store.accept().await.unwrap();

        scene.store.close().await;
        scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await.unwrap();
        scene.store = scene.file.open(keyring()).await.unwrap();
        assert_eq!(told(scene.store.as_ref()).await, [""; 0], "{sql}: the new file is made anew");
        assert_eq!(standing(scene.store.as_ref()).await, Standing::Current);
    }
}

#[tokio::test]
async fn a_table_beside_ours_is_told_and_keeps_nobody_from_anything() {
    let mut scene = Scene::new().await;
    scene.tamper("CREATE TABLE notes (a)").await;
    assert_eq!(standing(scene.store.as_ref()).await, Standing::Current);
    scene.sign_in(1).await;
    let said = told(scene.store.as_ref()).await;
    assert!(matches!(&said[..], [sentence] if sentence.contains("table notes was added")), "{said:?}");
}

/// Puts an account's tokens out of the way of whoever deletes them: without a sign, or with an error.
const STICKY: &str = "CREATE TRIGGER sticky BEFORE DELETE ON credentials BEGIN SELECT RAISE(IGNORE); END";
const TIED: &str = "CREATE TABLE ties (a REFERENCES credentials (id)); INSERT INTO ties SELECT id FROM credentials";
/// Lines of the log go nowhere.
const DEAF: &str = "CREATE TRIGGER deaf BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END";

#[tokio::test]
async fn what_another_program_changes_of_the_schema_while_the_vault_is_open_takes_no_write_and_is_named() {
    for (sql, part, undone) in [
        (STICKY, "the trigger sticky was added", "DROP TRIGGER sticky"),
        (TIED, "the table ties was added", "DROP TABLE ties"),
        (DEAF, "the trigger deaf was added", "DROP TRIGGER deaf"),
        (
            "CREATE UNIQUE INDEX sticks ON audit (account_id)",
            "the index sticks was added",
            "DROP INDEX sticks; CREATE TABLE notes (a)",
        ),
    ] {
        let scene = Scene::new().await;
        let one = scene.sign_in(1).await;
        run_sql(&scene.path(), sql).await;
        for refused in [
            scene.store.sign_out(&[signed_out(&one.account)], Vec::new()).await,
            scene.store.append_audit(&[audit_entry(None, "x")]).await,
            scene.store.append_audit(&[audit_entry(None, "x")]).await,
        ] {
            assert!(
                matches!(&refused, Err(VaultError::SchemaChanged(what)) if what.contains(part)),
                "{sql}: {refused:?}"
            );
        }
        assert_eq!(scene.secret(&one.refresh).await, "refresh-1", "nothing was written");
        assert!(told(scene.store.as_ref()).await.iter().any(|sentence| sentence.contains(part)), "{sql}");
        run_sql(&scene.path(), undone).await;
        scene.store.sign_out(&[signed_out(&one.account)], Vec::new()).await.unwrap();
        assert_eq!(scene.store.load().await.unwrap().credentials, [], "{sql}: it goes on");
    }
}

#[tokio::test]
async fn a_trigger_that_was_added_while_the_vault_is_open_cannot_be_accepted_and_an_index_can() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    run_sql(&scene.path(), STICKY).await;
    assert!(matches!(scene.store.accept().await, Err(VaultError::SchemaChanged(_))));
    run_sql(&scene.path(), "DROP TRIGGER sticky; CREATE INDEX spy ON credentials (secret)").await;
    assert!(matches!(scene.store.put_account(&one.account).await, Err(VaultError::SchemaChanged(_))));
    scene.store.accept().await.unwrap();
    scene.store.put_account(&one.account).await.unwrap();
}

#[tokio::test]
async fn a_vault_that_was_made_to_look_like_one_of_the_first_format_is_only_looked_at_until_it_is_accepted() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    let deleted = literal(two.account.id.as_bytes());
    // What was hidden with it would pass for never having been there.
    scene.tamper(&format!("{DOWNGRADE}; DELETE FROM accounts WHERE id = {deleted}")).await;
    for _ in 0..2 {
        assert_eq!(standing(scene.store.as_ref()).await, Standing::Unrecorded);
        assert!(matches!(scene.store.put_account(&one.account).await, Err(VaultError::Unaccepted)));
        scene.reopen().await;
    }
    scene.store.accept().await.unwrap();
    scene.store.put_account(&one.account).await.unwrap();
    scene.reopen().await;
    assert_eq!(standing(scene.store.as_ref()).await, Standing::Current);
}
