#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const MARK: &str = "MARK-of-a-secret";

fn csv_error(text: &str) -> String {
    let said = parse_csv(text).expect_err("does not fit").to_string();
    assert!(!said.contains(MARK), "{said}");
    said
}

fn json_error(text: &str) -> String {
    let said = parse_json(text).expect_err("does not fit").to_string();
    assert!(!said.contains(MARK), "{said}");
    said
}

#[test]
fn csv_is_taken_in_any_order_of_columns_with_quotes_and_a_byte_order_mark() {
    let text = "\u{feff}service,label,Token,note,expires_at,url\r\n\
                GitHub,work,ghp_1,\"a \"\"note\"\", with a comma\",2027-01-31,https://github.example/settings\r\n\
                \r\n\
                gitlab,\"home\",glpat-2,,2027-01-31T12:30:00+01:00,\r\n";
    let tokens = parse_csv(text).expect("fits");
    assert_eq!(tokens.len(), 2);
    assert_eq!((tokens[0].at, tokens[1].at), (At::Line(2), At::Line(4)));
    let tokens: Vec<_> = tokens.into_iter().map(|listed| listed.token).collect();
    let first = &tokens[0];
    assert_eq!((first.label.as_str(), first.service.as_str()), ("work", "github"));
    assert_eq!(first.token.expose_secret(), "ghp_1");
    assert_eq!(first.note.as_deref(), Some("a \"note\", with a comma"));
    assert_eq!(first.expires_at, Some(UnixMillis::from_secs(1_801_353_600)), "the first second of the day in UTC");
    assert_eq!(first.url.as_deref(), Some("https://github.example/settings"));
    assert_eq!(tokens[1].expires_at, Some(UnixMillis::from_secs(1_801_395_000)));
    assert_eq!((tokens[1].note.as_ref(), tokens[1].url.as_ref(), tokens[1].username.as_ref()), (None, None, None));
}

#[test]
fn csv_errors_name_line_and_column_and_repeat_nothing() {
    for (text, said) in [
        ("", "the columns label, service and token"),
        ("label,service\nx,y\n", "line 1, column 3: the columns label, service and token have to be there"),
        ("label,service,token,tokn\n", "line 1, column 4: no such column is known"),
        ("label,service,token,label\n", "line 1, column 4: this column stands there twice"),
        ("label;service;token\n", "line 1, column 1: no such column is known"),
        (&format!("work,github,{MARK}\n"), "line 1, column 1: no such column is known"),
        ("label,service,token\n", "the list holds no token"),
        (
            &format!("label,service,token\nok,s,t\nwork,github,{MARK},x\n"),
            "line 3 has 4 fields, and the first line names 3",
        ),
        (&format!("label,service,token\n,github,{MARK}\n"), "line 2: label is missing"),
        (&format!("label,service,token\nx,git hub,{MARK}\n"), "line 2: service is not a short name"),
        ("label,service,token\nx,s,\n", "line 2: token is missing"),
        (&format!("label,service,token\nx,s,{MARK} \n"), "line 2: token begins or ends with white space"),
        (
            &format!("label,service,token\n\nx,s,\"{MARK}\ny,s,t\n"),
            "line 3, column 5: a field begins with a quotation mark, and none ends it",
        ),
        (&format!("label,service,token,expires_at\nx,s,{MARK},tomorrow\n"), "line 2: expires_at is no date"),
        (&format!("label,service,token,expires_at\nx,s,{MARK},2026-02-30\n"), "line 2: expires_at is no date"),
        ("label,service,token,created_at,expires_at\nx,s,t,2026-02-02,2026-02-01\n", "line 2: expires_at is not later"),
        (&format!("label,service,token,url\nx,s,t,javascript:{MARK}\n"), "line 2: url is no address"),
        (&format!("label,service,token,url\nx,s,t,https://me:{MARK}@x.example\n"), "line 2: url holds a user name"),
        ("label,service,token\nx,s,t\ny,s,u\nx,r,v\n", "line 2 and line 4 have the same label"),
        ("label,service,token\nxa,s,t\nx\u{430},r,v\n", "the labels in line 2 and line 3 look alike"),
        ("label,service,token\nx\u{200b},s,t\n", "line 2: label has control characters, or others that nobody sees"),
        (
            "label,service,token\n01a20295-dac9-7438-97fd-2dcaa542b83e,s,t\n",
            "line 2: label is written like the id of an account",
        ),
        (
            &format!("label,service,token\na,s,t\nx,s,\"{MARK}\"x\n"),
            "line 3, column 23: something follows the quotation",
        ),
        (
            &format!("label,service,token\na,s,t\nx,s,{MARK}\"x\n"),
            "line 3, column 21: a quotation mark stands in a field",
        ),
        (&format!("label,service,token\nx,s,\"{MARK}\n\ny,s,t\n"), "line 2, column 5: a field begins with a quotation"),
        (&format!("label,service,token\nx,s,{MARK}\u{e9}\n"), "line 2: token has characters that are not ASCII"),
        ("label,service,token\nx,s,t\ny,s,u\nz,S,t\n", "line 2 and line 4 hold the same token of the same service"),
    ] {
        let error = csv_error(text);
        assert!(error.contains(said), "{text:?} says: {error}");
    }
}

#[test]
fn json_is_an_array_of_objects_and_null_is_nothing() {
    let text = r#"[{"label":"work","service":"github","token":"ghp_1","username":"ann","created_at":"2026-01-01"},
                   {"label":"home","service":"gitlab","token":"g l","note":null,"url":""}]"#;
    let tokens: Vec<_> = parse_json(text).expect("fits").into_iter().map(|listed| listed.token).collect();
    assert_eq!(tokens[0].username.as_deref(), Some("ann"));
    assert_eq!(tokens[0].created_at, Some(UnixMillis::from_secs(1_767_225_600)));
    assert_eq!((tokens[1].token.expose_secret(), tokens[1].note.as_ref(), tokens[1].url.as_ref()), ("g l", None, None));
}

#[test]
fn json_errors_name_the_place_and_repeat_nothing() {
    for (text, said) in [
        ("", "line 1, column 0: the text ends too early"),
        ("{}", "line 1, column 0: this is no JSON array"),
        ("[]", "the list holds no token"),
        ("[{\"label\":\"x\",\n\"service\":\"s\"}]", "line 2, column 14: missing field `token`"),
        (
            &format!("[{{\"label\":\"x\",\"service\":\"s\",\"token\":\"t\",\"{MARK}\":1}}]"),
            "a member that is not known",
        ),
        (
            &format!("[{{\"label\":\"x\",\"service\":\"s\",\"token\":[\"{MARK}\"]}}]"),
            "this is no JSON array of objects",
        ),
        (&format!("[\"{MARK}\"]"), "this is no JSON array of objects"),
        ("[{\"label\":\"x\",\"label\":\"x\"}]", "duplicate field `label`"),
        ("[{\"label\":\"x\",\"service\":\"s\",\"token\":\"\"}]", "entry 1: token is missing"),
        (
            "[{\"label\":\"x\",\"service\":\"s\",\"token\":\"t\"},{\"label\":\"x\",\"service\":\"s\",\"token\":\"u\"}]",
            "entry 1 and entry 2 have the same label",
        ),
    ] {
        let error = json_error(text);
        assert!(error.contains(said), "{text:?} says: {error}");
    }
}

#[test]
fn lists_that_are_too_large_are_refused_before_they_are_read() {
    let huge = " ".repeat(TEXT_MAX + 1);
    assert_eq!(parse_csv(&huge).unwrap_err(), StaticTokensError::TooLarge { max: TEXT_MAX });
    assert_eq!(parse_json(&huge).unwrap_err(), StaticTokensError::TooLarge { max: TEXT_MAX });
    let rows: String = (0..=TOKENS_MAX).map(|n| format!("l{n},s,t{n}\n")).collect();
    assert_eq!(
        parse_csv(&format!("label,service,token\n{rows}")).unwrap_err(),
        StaticTokensError::TooMany { max: TOKENS_MAX }
    );
    let most = rows.rsplit_once("\nl").unwrap().0;
    assert_eq!(parse_csv(&format!("label,service,token\n{most}\n")).unwrap().len(), TOKENS_MAX);
    let long = format!("label,service,token\nx,s,{}\n", "a".repeat(TOKEN_MAX + 1));
    assert!(csv_error(&long).contains("token is longer than 16384 bytes"));
}

#[test]
fn an_instant_is_rfc_3339_or_a_date_and_nothing_else() {
    for good in ["2026-12-31", "2026-12-31T18:00:00Z", "2026-12-31t18:00:00.5z", "2026-12-31T18:00:00-05:30"] {
        assert!(instant("expires_at", good).is_ok(), "{good}");
    }
    for bad in [
        "2026-12-31 18:00:00Z",
        "2026-12-31T18:00:00",
        "20261231",
        "31.12.2026",
        "2026-12-31T18:00:00[UTC]",
        "2026-12-31T18:00:00+01:00[Europe/Oslo]",
        "1798743600",
        "2026-1-1",
        "+002026-12",
        "9999-99-99",
    ] {
        assert!(instant("expires_at", bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_fall_over(text in "(label,service,token(,note)?\n)?[\\PC\n\r\",\\[\\]{}:]{0,400}") {
        let _ = parse_csv(&text);
        let _ = parse_json(&text);
    }

    #[test]
    fn what_was_written_as_csv_and_json_is_read_again(
        rows in proptest::collection::vec(("[a-zA-Z0-9 ,\"äß]{0,20}", "[ -~]{1,60}", "[ -~äöü]{0,60}"), 1..8)
    ) {
        let rows: Vec<_> = rows.into_iter().enumerate()
            .map(|(n, (label, token, note))| (format!("{n}{label}x"), format!("{n}{token}x"), note)).collect();
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["note", "label", "token", "service"]).unwrap();
        for (label, token, note) in &rows {
            writer.write_record([note.as_str(), label.as_str(), token.as_str(), "s.example"]).unwrap();
        }
        let csv = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let json: Vec<_> = rows.iter().map(|(label, token, note)| {
            serde_json::json!({"label": label, "token": token, "note": note, "service": "s.example"})
        }).collect();
        for read in [parse_csv(&csv), parse_json(&serde_json::to_string(&json).unwrap())] {
            let read = read.unwrap();
            prop_assert_eq!(read.len(), rows.len());
            for (Listed { token: one, .. }, (label, token, note)) in read.iter().zip(&rows) {
                prop_assert_eq!(&one.label, label);
                prop_assert_eq!(one.token.expose_secret(), token);
                prop_assert_eq!(one.note.as_deref().unwrap_or_default(), note.trim());
            }
        }
    }
}
