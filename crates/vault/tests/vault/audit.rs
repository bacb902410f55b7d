use holdfast_model::{
    AuditAction, AuditEntry,
    ports::{AuditFilter, AuditLine},
};
use holdfast_vault::SqliteVault;

use crate::support::*;

/// A log in letters; what is wrong stands in brackets.
fn letters(lines: &[AuditLine]) -> String {
    lines
        .iter()
        .map(|line| match line {
            AuditLine::Entry { entry, .. } => entry.detail.clone().unwrap(),
            AuditLine::Missing { from, to } => format!("[{from}-{to} missing]"),
            AuditLine::Changed { seq } => format!("[{seq} changed]"),
        })
        .collect()
}

/// A vault with the lines a to e; the first account has a, c and d, the second b.
async fn logged() -> (Scene, SignedIn, SignedIn) {
    let scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    for (account, detail) in [(&one, "a"), (&two, "b"), (&one, "c"), (&one, "d")] {
        scene.store.append_audit(&[audit_entry(Some(account.account.id), detail)]).await.unwrap();
    }
    scene.store.append_audit(&[audit_entry(None, "e")]).await.unwrap();
    (scene, one, two)
}

async fn read(scene: &Scene, filter: &AuditFilter) -> String {
    letters(&scene.store.audit(filter).await.unwrap())
}

#[tokio::test]
async fn the_newest_lines_are_read_oldest_first_by_account_kind_and_time() {
    let (scene, one, _) = logged().await;
    assert_eq!(read(&scene, &newest(100)).await, "abcde");
    assert_eq!(read(&scene, &newest(2)).await, "de");
    assert_eq!(read(&scene, &newest(0)).await, "");
    assert_eq!(read(&scene, &AuditFilter { account: Some(one.account.id), ..newest(2) }).await, "cd");

    let later = AuditEntry { at: NOW.plus_millis(5), action: AuditAction::Renewed, ..audit_entry(None, "f") };
    scene.store.append_audit(&[later, audit_entry(None, "g")]).await.unwrap();
    assert_eq!(read(&scene, &AuditFilter { actions: vec![AuditAction::Renewed], ..newest(9) }).await, "f");
    assert_eq!(read(&scene, &AuditFilter { since: Some(NOW.plus_millis(1)), ..newest(9) }).await, "f");
    assert_eq!(read(&scene, &AuditFilter { until: Some(NOW.plus_millis(1)), ..newest(9) }).await, "abcdeg");
    assert_eq!(read(&scene, &AuditFilter { until: Some(NOW), ..newest(9) }).await, "");
}

#[tokio::test]
async fn lines_that_were_taken_out_show_wherever_they_were_and_the_rest_is_read() {
    for (sql, expected) in [
        ("DELETE FROM audit WHERE seq = 3", "ab[3-3 missing]de"),
        ("DELETE FROM audit WHERE seq IN (2, 3)", "a[2-3 missing]de"),
        ("DELETE FROM audit WHERE seq >= 4", "abc[4-5 missing]"),
        ("DELETE FROM audit WHERE seq <= 2", "[1-2 missing]cde"),
        ("DELETE FROM audit", "[1-5 missing]"),
    ] {
        let (mut scene, ..) = logged().await;
        scene.tamper(sql).await;
        assert_eq!(read(&scene, &newest(100)).await, expected, "{sql}");
        scene.store.append_audit(&[audit_entry(None, "f")]).await.unwrap();
        assert_eq!(read(&scene, &newest(100)).await, format!("{expected}f"), "the hole is not filled: {sql}");
    }
}

#[tokio::test]
async fn lines_that_were_changed_moved_or_given_to_another_account_show() {
    let (mut scene, _, two) = logged().await;
    let thief = literal(two.account.id.as_bytes());
    scene.tamper(&format!("UPDATE audit SET account_id = {thief} WHERE seq = 3")).await;
    assert_eq!(read(&scene, &newest(100)).await, "ab[3 changed]de");
    let of_two = AuditFilter { account: Some(two.account.id), ..newest(9) };
    assert_eq!(read(&scene, &of_two).await, "b[3 changed]");
    scene.tamper("UPDATE audit SET overview = (SELECT overview FROM audit WHERE seq = 1) WHERE seq = 5").await;
    assert_eq!(read(&scene, &newest(100)).await, "ab[3 changed]d[5 changed]");
}

#[tokio::test]
async fn a_line_that_was_written_under_the_same_number_in_another_copy_of_the_vault_shows() {
    let (mut scene, ..) = logged().await;
    scene.store.close().await;
    let path = scene.path();
    let copy = scene.folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    // The copy goes its own way for a line.
    let other = SqliteVault::new(&copy);
    let store = holdfast_model::ports::VaultFile::open(&other, keyring()).await.unwrap();
    store.append_audit(&[audit_entry(None, "x")]).await.unwrap();
    store.close().await;
    scene.reopen().await;
    for letter in ["f", "g"] {
        scene.store.append_audit(&[audit_entry(None, letter)]).await.unwrap();
    }
    scene
        .tamper(&format!(
            "ATTACH '{}' AS other; \
             UPDATE audit SET overview = (SELECT overview FROM other.audit WHERE seq = 6) WHERE seq = 6",
            copy.display()
        ))
        .await;
    assert_eq!(read(&scene, &newest(100)).await, "abcde[6 changed]g");
}

#[tokio::test]
async fn a_line_that_was_deleted_for_its_age_and_put_back_shows_and_is_not_read() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.close().await;
    let file = SqliteVault::new(scene.path()).with_audit_lines_max(2);
    let store = holdfast_model::ports::VaultFile::open(&file, keyring()).await.unwrap();
    store.append_audit(&vec![audit_entry(Some(one.account.id), "a"); 200]).await.unwrap();
    scene.store = store;
    scene.tamper("CREATE TABLE kept AS SELECT * FROM audit").await;
    scene.store.close().await;
    let store = holdfast_model::ports::VaultFile::open(&file, keyring()).await.unwrap();
    store.append_audit(&vec![audit_entry(Some(one.account.id), "b"); 200]).await.unwrap();
    scene.store = store;
    assert_eq!(read(&scene, &newest(100)).await, "bb");
    scene.tamper("INSERT INTO audit SELECT * FROM kept WHERE seq = 200").await;
    assert_eq!(read(&scene, &newest(100)).await, "[200 changed]bb");
}

#[tokio::test]
async fn the_log_keeps_its_newest_lines_and_forgets_the_oldest_without_a_gap() {
    let scene = Scene::new().await;
    scene.store.close().await;
    let file = SqliteVault::new(scene.path()).with_audit_lines_max(10);
    let store = holdfast_model::ports::VaultFile::open(&file, keyring()).await.unwrap();
    let lines: Vec<AuditEntry> = (0..600).map(|number| audit_entry(None, &format!("{number},"))).collect();
    for some in lines.chunks(50) {
        store.append_audit(some).await.unwrap();
    }
    let kept = letters(&store.audit(&newest(1000)).await.unwrap());
    assert!(kept.ends_with("598,599,"), "{kept}");
    assert!(!kept.contains("missing"), "{kept}");
    let count = kept.matches(',').count();
    assert!((10..=10 + 256 + 50).contains(&count), "{count} lines are left");
    assert!(store.check().await.unwrap().damaged.is_empty());
}

#[tokio::test]
async fn rows_with_numbers_that_no_line_ever_had_show_under_their_own_number() {
    for (seq, expected) in [
        ("0", "[0 changed]abcde"),
        ("-7", "[-7 changed]abcde"),
        ("-9223372036854775808", "[-9223372036854775808 changed]abcde"),
        ("6", "abcde[6 changed]"),
        ("9223372036854775807", "abcde[9223372036854775807 changed]"),
    ] {
        let (mut scene, one, _) = logged().await;
        scene.tamper(&format!("INSERT INTO audit SELECT {seq}, account_id, overview FROM audit WHERE seq = 1")).await;
        assert_eq!(read(&scene, &newest(100)).await, expected);
        let of_one = AuditFilter { account: Some(one.account.id), ..newest(100) };
        assert!(read(&scene, &of_one).await.contains(&format!("[{seq} changed]")), "{seq}");
        let damaged: Vec<String> = scene.store.check().await.unwrap().damaged.iter().map(ToString::to_string).collect();
        assert!(matches!(&damaged[..], [row] if row.contains(&format!("record {seq} in audit"))), "{damaged:?}");
    }
}
