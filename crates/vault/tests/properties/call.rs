//! Calls of an open store, with arguments that fit and arguments that do not.

use holdfast_model::{
    Account, AccountId, AuditAction, AuditEntry, ClientSecret, Credential, CredentialId, CredentialKind, Fingerprint,
    Provider, Revocation, RevocationId, SecretValue,
    ports::{AuditFilter, AuditLine, CredentialWrite, RefreshIntent, VaultContents, VaultError, VaultStore},
};
use proptest::{collection::vec, prelude::*};

use crate::support;

/// So few of each that names meet again and again: added, replaced, deleted, added again, taken for another's.
pub const ACCOUNTS: u8 = 4;
pub const CREDENTIALS: u8 = 6;
pub const REVOCATIONS: u8 = 4;
pub const PROVIDERS: u8 = 3;

/// A generation beside the one that is stored when the call is made.
#[derive(Clone, Copy, Debug)]
pub enum Generation {
    Next,
    Stored,
    Older,
    Ahead(u64),
    /// More than a file can count to.
    Last,
}

/// One credential of a write.
#[derive(Clone, Debug)]
pub struct Written {
    pub credential: u8,
    pub generation: Generation,
    /// `None` keeps the stored one.
    pub value: Option<u16>,
    /// Whose it says it is, where that is not whom the write is about.
    pub stray: Option<u8>,
}

/// A call. `text` is what tells this record from earlier ones of its name.
#[derive(Clone, Debug)]
pub enum Call {
    PutProvider { name: u8, text: u16, secret: Option<u16> },
    PutProviders { names: Vec<u8>, text: u16 },
    DeleteProvider { name: u8 },
    SignIn { account: u8, text: u16, writes: Vec<Written>, replaced: Vec<u8> },
    CommitAccounts { text: u16, accounts: Vec<(u8, Vec<Written>)> },
    PutAccount { account: u8, text: u16 },
    BeginRefresh { credential: u8, generation: Generation, text: u16 },
    CommitRefresh { credential: u8, generation: Generation, account: u8, text: u16, writes: Vec<Written> },
    EndRefresh { credential: u8, generation: Generation, account: u8, text: u16 },
    SignOut { accounts: Vec<u8>, text: u16, outbox: Vec<u8> },
    DeleteAccount { account: u8 },
    PutRevocation { revocation: u8, attempts: u32 },
    DeleteRevocation { revocation: u8 },
    AppendAudit { lines: u16, account: Option<u8>, action: bool, at: i8 },
    Audit { account: Option<u8>, action: Option<bool>, since: Option<i8>, until: Option<i8>, limit: u32 },
    Secret { credential: u8 },
    ClientSecret { name: u8 },
    RevocationToken { revocation: u8 },
    Accept,
}

/// What a call gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Secret(Option<String>),
    Lines(Vec<AuditLine>),
}

pub fn account_id(number: u8) -> AccountId {
    // The last byte chooses the bucket of the register; two accounts share each.
    let mut bytes = [number; 16];
    bytes[15] = number / 2;
    AccountId::from_bytes(bytes)
}

pub fn credential_id(number: u8) -> CredentialId {
    CredentialId::from_bytes([0x40 + number; 16])
}

pub fn revocation_id(number: u8) -> RevocationId {
    RevocationId::from_bytes([number / 2; 16].map(|byte| byte + number % 2))
}

pub fn provider_name(number: u8) -> String {
    format!("provider-{number}")
}

fn account(number: u8, text: u16) -> Account {
    Account { id: account_id(number), label: format!("label-{text}"), ..support::account(number) }
}

fn revocation(number: u8, attempts: u32) -> Revocation {
    Revocation { id: revocation_id(number), attempts, ..support::revocation(number, account_id(number)) }
}

fn outbox(numbers: &[u8], text: u16) -> Vec<(Revocation, SecretValue)> {
    numbers.iter().map(|number| (revocation(*number, 0), SecretValue::new(format!("given-up-{text}")))).collect()
}

impl Generation {
    fn beside(self, stored: u64) -> u64 {
        match self {
            Self::Next => stored + 1,
            Self::Stored => stored,
            Self::Older => stored.saturating_sub(1),
            Self::Ahead(by) => stored + 1 + by,
            Self::Last => u64::MAX,
        }
    }
}

/// The generation of a credential in `contents`, 0 where it is not.
fn stored(contents: &VaultContents, credential: u8) -> u64 {
    let id = credential_id(credential);
    contents.credentials.iter().find(|stored| stored.id == id).map_or(0, |stored| stored.generation)
}

fn writes(contents: &VaultContents, of: u8, written: &[Written]) -> Vec<CredentialWrite> {
    let write = |written: &Written| {
        let owner = account(written.stray.unwrap_or(of), 0);
        let kind = if written.credential.is_multiple_of(2) {
            CredentialKind::AccessToken
        } else {
            CredentialKind::RefreshToken
        };
        let generation = written.generation.beside(stored(contents, written.credential));
        let value = written.value.map(|value| format!("value-{value}"));
        CredentialWrite {
            credential: Credential {
                generation,
                fingerprint: Fingerprint::of(value.as_deref().unwrap_or_default()),
                ..support::credential(&owner, credential_id(written.credential), kind)
            },
            value: value.map(SecretValue::new),
        }
    };
    written.iter().map(write).collect()
}

fn intent(contents: &VaultContents, credential: u8, generation: Generation, text: u16) -> RefreshIntent {
    RefreshIntent {
        credential: credential_id(credential),
        generation: generation.beside(stored(contents, credential)),
        sent: Fingerprint::of(&format!("sent-{text}")),
        sent_at: support::NOW.plus_millis(i64::from(text)),
    }
}

const fn action(renewed: bool) -> AuditAction {
    if renewed { AuditAction::Renewed } else { AuditAction::TokenHandedOut }
}

impl Call {
    /// Makes the call; `contents` is what the vault holds before it.
    pub async fn on(&self, store: &dyn VaultStore, contents: &VaultContents) -> Result<Answer, VaultError> {
        let done = |()| Answer::Done;
        let value = |value: SecretValue| Answer::Secret(Some(value.expose_secret().to_owned()));
        match self {
            Self::PutProvider { name, text, secret } => {
                let display_name = format!("Display {text}");
                let provider = Provider { display_name, ..support::provider(&provider_name(*name)) };
                // The secret of a public client may be said to be empty.
                let secret = secret.map(|secret| match secret {
                    0 => ClientSecret::new(String::new()),
                    secret => ClientSecret::new(format!("secret-{secret}")),
                });
                store.put_provider(&provider, secret.as_ref()).await.map(done)
            }
            Self::PutProviders { names, text } => {
                let display_name = format!("Display {text}");
                let provider = |name: &u8| Provider {
                    display_name: display_name.clone(),
                    ..support::provider(&provider_name(*name))
                };
                store.put_providers(&names.iter().map(provider).collect::<Vec<_>>()).await.map(done)
            }
            Self::DeleteProvider { name } => {
                store.delete_provider(&support::provider(&provider_name(*name)).name).await.map(done)
            }
            Self::SignIn { account: of, text, writes: written, replaced } => store
                .commit_sign_in(&account(*of, *text), writes(contents, *of, written), outbox(replaced, *text))
                .await
                .map(done),
            Self::CommitAccounts { text, accounts } => {
                let commit = |(of, written): &(u8, Vec<Written>)| (account(*of, *text), writes(contents, *of, written));
                store.commit_accounts(accounts.iter().map(commit).collect()).await.map(done)
            }
            Self::PutAccount { account: of, text } => store.put_account(&account(*of, *text)).await.map(done),
            Self::BeginRefresh { credential, generation, text } => {
                store.begin_refresh(&intent(contents, *credential, *generation, *text)).await.map(done)
            }
            Self::CommitRefresh { credential, generation, account: of, text, writes: written } => {
                let intent = intent(contents, *credential, *generation, *text);
                store.commit_refresh(&intent, &account(*of, *text), writes(contents, *of, written)).await.map(done)
            }
            Self::EndRefresh { credential, generation, account: of, text } => {
                let intent = intent(contents, *credential, *generation, *text);
                store.end_refresh(&intent, &account(*of, *text)).await.map(done)
            }
            Self::SignOut { accounts, text, outbox: queued } => {
                let accounts: Vec<_> =
                    accounts.iter().map(|number| support::signed_out(&account(*number, *text))).collect();
                store.sign_out(&accounts, outbox(queued, *text)).await.map(done)
            }
            Self::DeleteAccount { account } => store.delete_account(account_id(*account)).await.map(done),
            Self::PutRevocation { revocation: number, attempts } => {
                store.put_revocation(&revocation(*number, *attempts)).await.map(done)
            }
            Self::DeleteRevocation { revocation } => {
                store.delete_revocation(revocation_id(*revocation)).await.map(done)
            }
            Self::AppendAudit { lines, account, action: renewed, at } => {
                let entry = |line| AuditEntry {
                    at: support::NOW.plus_millis(i64::from(*at)),
                    action: action(*renewed),
                    ..support::audit_entry(account.map(account_id), &format!("line {line}"))
                };
                store.append_audit(&(0..*lines).map(entry).collect::<Vec<_>>()).await.map(done)
            }
            Self::Audit { account, action: renewed, since, until, limit } => {
                let instant = |at: &Option<i8>| at.map(|at| support::NOW.plus_millis(i64::from(at)));
                let filter = AuditFilter {
                    account: account.map(account_id),
                    actions: renewed.map(action).into_iter().collect(),
                    since: instant(since),
                    until: instant(until),
                    limit: *limit,
                };
                store.audit(&filter).await.map(Answer::Lines)
            }
            Self::Secret { credential } => store.secret(credential_id(*credential)).await.map(value),
            Self::RevocationToken { revocation } => store.revocation_token(revocation_id(*revocation)).await.map(value),
            Self::ClientSecret { name } => {
                let name = support::provider(&provider_name(*name)).name;
                let secret = store.client_secret(&name).await?;
                Ok(Answer::Secret(secret.map(|secret| secret.expose_secret().to_owned())))
            }
            Self::Accept => store.accept().await.map(done),
        }
    }
}

// ---- strategies ----

fn generations() -> impl Strategy<Value = Generation> {
    prop_oneof![
        12 => Just(Generation::Next),
        1 => Just(Generation::Stored),
        1 => Just(Generation::Older),
        1 => (1..4_u64).prop_map(Generation::Ahead),
        1 => Just(Generation::Last),
    ]
}

/// That of a renewal: most begin from what is stored.
fn began_at() -> impl Strategy<Value = Generation> {
    prop_oneof![
        8 => Just(Generation::Stored),
        1 => Just(Generation::Next),
        1 => Just(Generation::Older),
        1 => Just(Generation::Last),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    let value = prop_oneof![6 => any::<u16>().prop_map(Some), 1 => Just(None)];
    let stray = prop_oneof![12 => Just(None), 1 => (0..ACCOUNTS).prop_map(Some)];
    (0..CREDENTIALS, generations(), value, stray).prop_map(|(credential, generation, value, stray)| Written {
        credential,
        generation,
        value,
        stray,
    })
}

/// Each account has credentials that are mostly its own: a pair of neighbours.
fn own(account: u8) -> impl Strategy<Value = Vec<Written>> {
    let of = move |written: Vec<Written>| {
        let own = move |(at, written): (usize, Written)| Written {
            credential: (account * 2 + u8::try_from(at % 2).unwrap()) % CREDENTIALS,
            ..written
        };
        written.into_iter().enumerate().map(own).collect()
    };
    prop_oneof![6 => vec(written(), 0..3).prop_map(of), 1 => vec(written(), 0..3)]
}

fn queued() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => Just(Vec::new()), 3 => vec(0..REVOCATIONS, 1..3)]
}

/// Calls of all methods but those about the whole file.
pub fn calls() -> impl Strategy<Value = Call> {
    let text = any::<u16>;
    let number = prop_oneof![9 => 0..3_u16, 1 => Just(300)];
    let sign_in = (0..ACCOUNTS).prop_flat_map(move |account| {
        (own(account), text(), queued()).prop_map(move |(writes, text, replaced)| Call::SignIn {
            account,
            text,
            writes,
            replaced,
        })
    });
    let commit_refresh = (0..ACCOUNTS).prop_flat_map(move |account| {
        let credential = prop_oneof![6 => Just((account * 2 + 1) % CREDENTIALS), 1 => 0..CREDENTIALS];
        (credential, began_at(), text(), own(account)).prop_map(move |(credential, generation, text, writes)| {
            Call::CommitRefresh { credential, generation, account, text, writes }
        })
    });
    prop_oneof![
        6 => (0..PROVIDERS, text(), prop::option::of(0..4_u16))
            .prop_map(|(name, text, secret)| Call::PutProvider { name, text, secret }),
        2 => (vec(0..PROVIDERS, 0..3), text()).prop_map(|(names, text)| Call::PutProviders { names, text }),
        2 => (0..PROVIDERS).prop_map(|name| Call::DeleteProvider { name }),
        14 => sign_in,
        4 => (text(), vec((0..ACCOUNTS).prop_flat_map(|of| own(of).prop_map(move |writes| (of, writes))), 0..4))
            .prop_map(|(text, accounts)| Call::CommitAccounts { text, accounts }),
        4 => (0..ACCOUNTS, text()).prop_map(|(account, text)| Call::PutAccount { account, text }),
        8 => (0..CREDENTIALS, began_at(), text())
            .prop_map(|(credential, generation, text)| Call::BeginRefresh { credential, generation, text }),
        8 => commit_refresh,
        4 => (0..CREDENTIALS, began_at(), 0..ACCOUNTS, text()).prop_map(|(credential, generation, account, text)| {
            Call::EndRefresh { credential, generation, account, text }
        }),
        4 => (vec(0..ACCOUNTS, 0..3), text(), queued())
            .prop_map(|(accounts, text, outbox)| Call::SignOut { accounts, text, outbox }),
        3 => (0..ACCOUNTS).prop_map(|account| Call::DeleteAccount { account }),
        3 => (0..REVOCATIONS, any::<u32>())
            .prop_map(|(revocation, attempts)| Call::PutRevocation { revocation, attempts }),
        2 => (0..REVOCATIONS).prop_map(|revocation| Call::DeleteRevocation { revocation }),
        5 => (number, prop::option::of(0..ACCOUNTS), any::<bool>(), any::<i8>())
            .prop_map(|(lines, account, action, at)| Call::AppendAudit { lines, account, action, at }),
        3 => (
            prop::option::of(0..ACCOUNTS),
            prop::option::of(any::<bool>()),
            prop::option::of(any::<i8>()),
            prop::option::of(any::<i8>()),
            prop_oneof![0..5_u32, Just(u32::MAX)],
        )
            .prop_map(|(account, action, since, until, limit)| Call::Audit { account, action, since, until, limit }),
        1 => (0..CREDENTIALS).prop_map(|credential| Call::Secret { credential }),
        1 => (0..PROVIDERS).prop_map(|name| Call::ClientSecret { name }),
        1 => (0..REVOCATIONS).prop_map(|revocation| Call::RevocationToken { revocation }),
        3 => Just(Call::Accept),
    ]
}
