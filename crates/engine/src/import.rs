//! Taking over an account of oidc-agent: its refresh token is used once, and what comes back is an account like any other.
//!
//! The order is what matters, because many providers take each refresh token only once:
//!
//! * Everything that can fail without the provider is done before the token is sent: the file is opened, its provider
//!   looked up and written, which also shows that the disk takes something.
//! * A file whose token Holdfast has spent already is recognised and not sent again: that would end the session.
//! * What the provider answers is stored before anybody hears of it, and tried again until it is stored.
//! * The file is read and never written.

use std::sync::Arc;

use holdfast_import::oidc_agent::{self, OidcAgentAccount, OidcAgentError};
use holdfast_model::{
    Account, AccountId, AccountOrigin, AuditAction, AuditEntry, Condition, FailureKind, Fingerprint, Passphrase,
    ProviderFailure, ProviderName, RefreshToken, SecretValue, SignedIn, credentials_of, look_alike,
    ports::{Client, VaultStore},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

use crate::{
    Caller, Engine, EngineError,
    audit::Log,
    import_provider::Found,
    storing::StoreTries,
    whose_account::{account_for, check_label, taken},
};

/// An account file to take over.
#[derive(Debug)]
pub struct ImportOidcAgent {
    /// The text of the file, or the account in it that somebody else decrypted.
    pub text: SecretValue,
    /// The password that encrypts it. Not needed for what is decrypted.
    pub password: Option<Passphrase>,
    /// What the account shall be called; oidc-agent's name for it when missing.
    pub label: Option<String>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// Its account is new here.
    Imported,
    /// The person was known here already, and the account holds the new tokens now.
    Replaced,
    /// The file was imported before, and nothing was sent.
    AlreadyThere,
}

/// An account that was taken over, and what its person has to know of it.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// The account.
    pub account: AccountId,
    /// What became of the file.
    pub outcome: ImportOutcome,
    /// Its provider.
    pub provider: ProviderName,
    /// Whether the provider was not in the list before.
    pub provider_added: bool,
    /// Whether the provider gave another refresh token: the one in the file is spent.
    pub rotated: bool,
    /// What oidc-agent calls the account.
    pub name: String,
    /// The certificate authorities that oidc-agent trusted for it, when those are not the system's.
    pub cert_path: Option<String>,
    /// The audience that oidc-agent asked for, which Holdfast does not.
    pub audience: Option<String>,
}

/// What an import takes along to the provider.
struct Departure {
    session: u64,
    store: Arc<dyn VaultStore>,
    cancelled: CancellationToken,
    audit: Log,
    /// The accounts when it left, for an answer that arrives while the vault is being closed.
    known: Vec<Arc<Account>>,
    found: Found,
    account: OidcAgentAccount,
    label: Option<String>,
    program: Option<String>,
    _under_way: UnderWay,
}

/// Marks a refresh token as being used, until it is dropped.
struct UnderWay {
    engine: Engine,
    token: Fingerprint,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.engine.state().importing.remove(&self.token);
    }
}

type Answered = oneshot::Sender<Result<ImportReport, EngineError>>;

impl Engine {
    /// Takes over an account of oidc-agent.
    ///
    /// # Errors
    /// Up to the provider's answer nothing is kept, and the file's token is as good as before, unless the provider may have
    /// acted on it. [`EngineError::ImportUnstored`] means that the answer is in memory and is being stored.
    pub async fn import_oidc_agent(
        &self,
        import: ImportOidcAgent,
        caller: &Caller,
    ) -> Result<ImportReport, EngineError> {
        self.state().session()?;
        let ImportOidcAgent { text, password, label } = import;
        if let Some(label) = &label {
            check_label(label)?;
        }
        let account = self.opened(&text, password).await?;
        let token = account.refresh_token.fingerprint();
        if let Some(report) = self.imported_before(&token, &account)? {
            return Ok(report);
        }
        let under_way = self.mark(token)?;
        if let Some(label) = &label {
            self.label_is_free_or_of(label, &account)?;
        }
        let found = self.or_closed(self.provider_for(&account)).await?;
        let added = found.added.then(|| found.provider.name.clone());
        let imported = self.or_closed(self.depart(found, account, label, caller, under_way)).await;
        if let (Err(error), Some(name)) = (&imported, added)
            && !matches!(error, EngineError::ImportUnstored(_) | EngineError::VaultLocked | EngineError::ShuttingDown)
        {
            let _keeping = self.shared.keeping.lock().await;
            if let Err(error) = self.forget_provider(&name).await {
                warn!(%error, provider = %name, "a provider that was added for an import stays in the list");
            }
        }
        imported
    }

    /// The account in a file.
    async fn opened(&self, text: &SecretValue, password: Option<Passphrase>) -> Result<OidcAgentAccount, EngineError> {
        if oidc_agent::is_decrypted(text.expose_secret()) {
            return Ok(oidc_agent::account_of(text.expose_secret().as_bytes())?);
        }
        let sealed = oidc_agent::parse(text.expose_secret())?;
        let password = password.ok_or(OidcAgentError::PasswordNeeded)?;
        let _place = self.shared.deriving.acquire().await.map_err(|_| EngineError::ShuttingDown)?;
        let opening = tokio::task::spawn_blocking(move || sealed.open(&password));
        let opened =
            async { opening.await.map_err(|_| EngineError::Internal("opening a file ended without a result")) };
        Ok(self.or_closed(opened).await??)
    }

    /// The account that was made of this token, while it is signed in: then the token must not be sent again.
    fn imported_before(
        &self,
        sent: &Fingerprint,
        file: &OidcAgentAccount,
    ) -> Result<Option<ImportReport>, EngineError> {
        let state = self.state();
        let session = state.session()?;
        let held = |account: &Account, current: Option<&Fingerprint>| {
            let before = matches!(&account.origin, AccountOrigin::Imported { token, .. } if token == sent);
            account.condition == Condition::SignedIn && (before || current == Some(sent))
        };
        let found = session.accounts.values().find_map(|entry| {
            let current = entry.credentials.refresh.as_ref().map(|refresh| &refresh.fingerprint);
            held(&entry.account, current).then_some((&entry.account, current))
        });
        Ok(found.map(|(account, current)| ImportReport {
            account: account.id,
            outcome: ImportOutcome::AlreadyThere,
            provider: account.provider.clone(),
            provider_added: false,
            rotated: current != Some(sent),
            name: file.name.clone(),
            cert_path: None,
            audience: None,
        }))
    }

    fn mark(&self, token: Fingerprint) -> Result<UnderWay, EngineError> {
        let mut state = self.state();
        state.session()?;
        if !state.importing.insert(token.clone()) {
            return Err(EngineError::ImportUnderWay);
        }
        drop(state);
        Ok(UnderWay { engine: self.clone(), token })
    }

    /// A label that somebody else has is refused while that costs nothing.
    fn label_is_free_or_of(&self, label: &str, file: &OidcAgentAccount) -> Result<(), EngineError> {
        let state = self.state();
        let session = state.session()?;
        match session.by_label_alike(label) {
            // The same client there may be the same person; the provider's answer tells.
            Some(account) if account.client_id != file.client_id => Err(taken(label, account)),
            _ => Ok(()),
        }
    }

    /// Sends the token in a task of the session, so that its durable part is over before the vault is closed.
    async fn depart(
        &self,
        found: Found,
        account: OidcAgentAccount,
        label: Option<String>,
        caller: &Caller,
        under_way: UnderWay,
    ) -> Result<ImportReport, EngineError> {
        let (answered, answer) = oneshot::channel();
        {
            let state = self.state();
            let session = state.session()?;
            let departure = Departure {
                session: session.serial,
                store: session.store.clone(),
                cancelled: session.cancelled.clone(),
                audit: session.audit.clone(),
                known: session.accounts.values().map(|entry| Arc::clone(&entry.account)).collect(),
                found,
                account,
                label,
                program: caller.program.clone(),
                _under_way: under_way,
            };
            let span = info_span!("import", provider = %departure.found.provider.name);
            let engine = self.clone();
            session.tasks.spawn(async move { engine.take_over(departure, answered).await }.instrument(span));
        }
        answer.await.unwrap_or(Err(EngineError::VaultLocked))
    }

    async fn take_over(&self, mut departure: Departure, answered: Answered) {
        let token = departure.account.refresh_token.clone();
        let cancelled = departure.cancelled.clone();
        let taken = tokio::select! {
            taken = self.ask(&mut departure, &token) => taken,
            // What the provider did with the token then, only its next answer tells.
            () = cancelled.cancelled() => return,
        };
        match taken {
            Ok(taken) => self.keep_imported(departure, taken, token, answered).await,
            Err(failure) => {
                warn!(kind = ?failure.kind, status = failure.status, "an import failed");
                // Released first: whoever hears of the failure may try again at once.
                drop(departure);
                let _ = answered.send(Err(EngineError::Provider(failure)));
            }
        }
    }

    /// Asks with each way of proving the client that may be the right one. A client that is refused has spent nothing.
    async fn ask(&self, departure: &mut Departure, token: &RefreshToken) -> Result<SignedIn, ProviderFailure> {
        let mut last = None;
        for authentication in departure.found.authentications.clone() {
            departure.found.provider.client_authentication = authentication;
            let secret = departure.found.secret.clone();
            let client = Client::new(departure.found.provider.clone(), secret);
            match self.shared.ports.server.take_over(&client, token).await {
                Err(failure) if failure.kind == FailureKind::InvalidClient => last = Some(failure),
                done => return done,
            }
        }
        Err(last.unwrap_or_else(|| {
            ProviderFailure::new(FailureKind::InvalidClient, "token", "The provider refuses the client of this file.")
        }))
    }

    /// Stores what the provider answered; tries again until it is stored, and one last time when the vault is being closed.
    async fn keep_imported(&self, departure: Departure, mut taken: SignedIn, token: RefreshToken, answered: Answered) {
        let Departure { found, account: file, .. } = &departure;
        let rotated = taken.grant.refresh_token.as_ref().is_some_and(|next| !next.matches(&token));
        let origin = AccountOrigin::Imported { token: token.fingerprint(), at: taken.grant.received_at };
        // A provider that does not rotate leaves it out (RFC 6749 section 6).
        taken.grant.refresh_token.get_or_insert(token);
        let mut answered = Some(answered);
        let mut tries = StoreTries::new(self, &departure.cancelled);
        let (account, outcome) = loop {
            match self.commit_imported(&departure, &taken, &origin).await {
                Ok(done) => break done,
                Err(EngineError::Vault(error)) if tries.are_over() => {
                    warn!(%error, "the vault closes, and the answer to an import was never stored");
                    return;
                }
                Err(EngineError::Vault(error)) => {
                    warn!(%error, "the answer to an import is not stored yet");
                    if let Some(answered) = answered.take() {
                        let _ = answered.send(Err(EngineError::ImportUnstored(error)));
                    }
                    tries.next().await;
                }
                Err(error) => {
                    warn!(%error, "the answer to an import could not be stored");
                    if let Some(answered) = answered.take() {
                        let _ = answered.send(Err(error));
                    }
                    return;
                }
            }
        };
        info!(account = %account, ?outcome, "imported");
        let entry = AuditEntry {
            at: self.now(),
            action: AuditAction::Imported,
            account: Some(account),
            program: departure.program.clone(),
            detail: Some("from an account file of oidc-agent".to_owned()),
        };
        departure.audit.put(entry);
        let report = ImportReport {
            account,
            outcome,
            provider: found.provider.name.clone(),
            provider_added: found.added,
            rotated,
            name: file.name.clone(),
            cert_path: file.cert_path.clone().filter(|path| !is_of_the_system(path)),
            audience: file.audience.clone(),
        };
        drop(departure);
        if let Some(answered) = answered {
            let _ = answered.send(Ok(report));
        }
    }

    async fn commit_imported(
        &self,
        departure: &Departure,
        taken: &SignedIn,
        origin: &AccountOrigin,
    ) -> Result<(AccountId, ImportOutcome), EngineError> {
        let Departure { store, found, account: file, label, .. } = departure;
        let _keeping = self.shared.keeping.lock().await;
        if found.added && found.authentications.first() != Some(&found.provider.client_authentication) {
            // The other way of proving the client was the right one.
            store.put_provider(&found.provider, None).await?;
            if let Ok(session) = self.state().session_mut() {
                session.providers.insert(found.provider.name.clone(), found.provider.clone());
            }
        }
        let (account, outcome) = {
            let state = self.state();
            let open = state.session.as_ref().filter(|session| session.serial == departure.session);
            let known: Vec<_> = match open {
                Some(session) => session.accounts.values().map(|entry| &*entry.account).collect(),
                None => departure.known.iter().map(|account| &**account).collect(),
            };
            let scopes = taken.grant.scopes.as_ref().unwrap_or(&file.scopes);
            let at = taken.grant.received_at;
            let make = |label| account_for(&known, &found.provider, &taken.claims, label, scopes, at);
            // The token is spent: a label that somebody took meanwhile is no reason to lose the session. Without one that
            // was asked for, oidc-agent's own name serves while it is free.
            let named = label.clone().or_else(|| {
                let is_free = known.iter().all(|account| !look_alike(&account.label, &file.name));
                Some(file.name.clone()).filter(|name| is_free && check_label(name).is_ok())
            });
            let known_person = make(None).is_ok_and(|account| known.iter().any(|known| known.id == account.id));
            let label = if known_person { label.as_deref() } else { named.as_deref() };
            let account = make(label).or_else(|_| make(None))?;
            let outcome = if known_person { ImportOutcome::Replaced } else { ImportOutcome::Imported };
            (Account { origin: origin.clone(), ..account }, outcome)
        };
        let made = credentials_of(account.id, &found.provider, &account.scopes, None, &taken.grant);
        self.commit_account(store, &account, made).await?;
        Ok((account.id, outcome))
    }
}

/// Whether these certificate authorities are those that the system trusts, which Holdfast trusts too.
fn is_of_the_system(path: &str) -> bool {
    ["/etc/ssl/", "/etc/pki/", "/etc/ca-certificates/", "/usr/share/ca-certificates/", "/var/lib/ca-certificates/"]
        .iter()
        .any(|folder| path.starts_with(folder))
}
