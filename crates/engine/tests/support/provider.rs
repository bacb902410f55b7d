mod direct;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use holdfast_model::{
    AccessToken, AuthorizationCode, Clock, DeviceCode, DpopKey, FailureKind, IdToken, IdentityClaims, IssuerTemplate,
    PkceVerifier, Provider, ProviderFailure, RefreshToken, RevocationOutcome, SecretValue, SignedIn, Target,
    TokenGrant, TokenTypeHint, UnixMillis,
    ports::{
        AuthorizationRequest, AuthorizationResponse, AuthorizationServer, BrowserPage, Client, ClientRegistrar,
        DeviceAnswer, Holder, Introspection, Listening, PendingAuthorization, PendingDevice, ProofOfPossession,
        RedirectDoor, RedirectReceiver, Registered, Registration, RegistrationAccess, SignInPage, TokenInspector,
        UserInfo,
    },
};
use tokio::sync::Semaphore;

use super::ManualTime;

/// The tenant of everybody, where the provider has several.
pub const TENANT: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";

/// By which issuer the provider names people.
fn issuer_of(provider: &Provider) -> String {
    let filled = IssuerTemplate::of(&provider.issuer).and_then(|template| template.filled(TENANT));
    filled.unwrap_or_else(|| provider.issuer.clone())
}

/// What the provider says to the next refresh instead of renewing.
#[derive(Clone)]
pub enum Says {
    /// This failure, before the token is looked at.
    No(ProviderFailure),
    /// It rotates the token, and the reply is lost.
    RotatesAndLosesTheReply,
}

#[derive(Default)]
struct Inside {
    serial: u64,
    person: String,
    /// Valid refresh tokens and their family.
    valid: BTreeMap<String, u64>,
    spent: BTreeMap<String, u64>,
    dead_families: BTreeSet<u64>,
    script: VecDeque<Says>,
    refreshes: u64,
    reuses: u64,
    revoked: Vec<(TokenTypeHint, String)>,
    revocation_down: bool,
    revocation_impossible: bool,
    revocation_refused: Option<String>,
    nobody_comes_back: bool,
    gives_id_tokens: bool,
    /// What a device is told, one answer a question; then the person has allowed it.
    device_says: VecDeque<Result<DeviceAnswer, ProviderFailure>>,
    device_asked_at: Vec<UnixMillis>,
    /// The key that each exchange and each refresh came with.
    keys_used: Vec<Option<String>>,
    /// What refreshes asked for that was not the account's own token.
    targets: Vec<Target>,
    /// Tokens about which it was asked, and with which.
    inspected: Vec<String>,
    /// How many access tokens it still does not accept at its userinfo endpoint.
    refuses_tokens: usize,
    /// What it registers the next client as.
    registers: Option<Registered>,
    /// What was asked to be registered.
    asked_to_register: Vec<Registration>,
    /// Registrations that were taken back.
    unregistered: Vec<String>,
    /// It registers, and its reply is lost.
    loses_registrations: bool,
    /// It ends no registration.
    keeps_registrations: bool,
    /// With what grants without a person were asked for, and for what.
    direct: Vec<(String, Target)>,
    /// As what it was asked last to refresh or to revoke.
    asked_as: Option<Provider>,
}

/// An authorization server that rotates refresh tokens and ends the family when a spent one comes back.
pub struct FakeProvider {
    time: Arc<ManualTime>,
    access_s: u64,
    inside: Mutex<Inside>,
    /// Refresh requests wait here: closed by [`FakeProvider::hold`].
    gate: Semaphore,
    /// Code exchanges wait here: closed by [`FakeProvider::hold_exchanges`].
    exchanges: Semaphore,
    /// Revocations wait here: closed by [`FakeProvider::hold_revocations`].
    revocations: Semaphore,
    /// Registrations wait here: closed by [`FakeProvider::hold_registrations`].
    registrations: Semaphore,
}

impl FakeProvider {
    pub fn new(time: Arc<ManualTime>, access_s: u64) -> Self {
        Self {
            time,
            access_s,
            inside: Mutex::default(),
            gate: Semaphore::new(1_000_000),
            exchanges: Semaphore::new(1_000_000),
            revocations: Semaphore::new(1_000_000),
            registrations: Semaphore::new(1_000_000),
        }
    }

    pub fn next_person(&self, person: &str) {
        self.inside.lock().unwrap().person = person.into();
    }

    /// A refresh token that another program got here for `person`; an empty name is one that nobody tells.
    pub fn issue_elsewhere(&self, person: &str) -> String {
        let mut inside = self.inside.lock().unwrap();
        inside.person = person.into();
        let family = inside.serial;
        let grant = self.grant(&mut inside, family);
        grant.refresh_token.expect("a refresh token").expose_secret().to_owned()
    }

    /// Refresh requests arrive and are not answered until [`FakeProvider::release`].
    pub fn hold(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    pub fn release(&self) {
        self.gate.add_permits(1_000_000);
    }

    /// Codes arrive and are not answered until [`FakeProvider::release_exchanges`].
    pub fn hold_exchanges(&self) {
        self.exchanges.forget_permits(usize::MAX);
    }

    pub fn release_exchanges(&self) {
        self.exchanges.add_permits(1_000_000);
    }

    /// Revocations arrive and are not answered until [`FakeProvider::release_revocations`].
    pub fn hold_revocations(&self) {
        self.revocations.forget_permits(usize::MAX);
    }

    pub fn release_revocations(&self) {
        self.revocations.add_permits(1_000_000);
    }

    /// Registrations arrive and are not answered until [`FakeProvider::release_registrations`].
    pub fn hold_registrations(&self) {
        self.registrations.forget_permits(usize::MAX);
    }

    pub fn release_registrations(&self) {
        self.registrations.add_permits(1_000_000);
    }

    /// From now on the replies to registrations are lost.
    pub fn loses_registrations(&self) {
        self.inside.lock().unwrap().loses_registrations = true;
    }

    /// From now on no registration can be ended.
    pub fn keeps_registrations(&self) {
        self.inside.lock().unwrap().keeps_registrations = true;
    }

    /// From now on people leave their browser alone.
    pub fn nobody_comes_back(&self) {
        self.inside.lock().unwrap().nobody_comes_back = true;
    }

    /// From now on there are ID tokens in its answers.
    pub fn gives_id_tokens(&self) {
        self.inside.lock().unwrap().gives_id_tokens = true;
    }

    /// What the next questions of a device are answered with, before the person allows it.
    pub fn tells_the_device(&self, says: impl IntoIterator<Item = Result<DeviceAnswer, ProviderFailure>>) {
        self.inside.lock().unwrap().device_says.extend(says);
    }

    /// The key that each exchange and each refresh came with.
    pub fn keys_used(&self) -> Vec<Option<String>> {
        self.inside.lock().unwrap().keys_used.clone()
    }

    /// What refreshes asked for that was not the account's own token.
    pub fn targets(&self) -> Vec<Target> {
        self.inside.lock().unwrap().targets.clone()
    }

    /// When a device asked.
    pub fn device_asked_at(&self) -> Vec<UnixMillis> {
        self.inside.lock().unwrap().device_asked_at.clone()
    }

    /// The tokens about which it was asked, and with which.
    pub fn inspected(&self) -> Vec<String> {
        self.inside.lock().unwrap().inspected.clone()
    }

    /// So many access tokens are refused at the userinfo endpoint from now on.
    pub fn refuses_access_tokens(&self, times: usize) {
        self.inside.lock().unwrap().refuses_tokens = times;
    }

    /// The next client is registered as this one; without it none is.
    pub fn registers(&self, registered: Registered) {
        self.inside.lock().unwrap().registers = Some(registered);
    }

    pub fn asked_to_register(&self) -> Vec<Registration> {
        self.inside.lock().unwrap().asked_to_register.clone()
    }

    /// Addresses of the registrations that were taken back.
    pub fn unregistered(&self) -> Vec<String> {
        self.inside.lock().unwrap().unregistered.clone()
    }

    pub fn says(&self, says: Says) {
        self.inside.lock().unwrap().script.push_back(says);
    }

    pub fn refreshes(&self) -> u64 {
        self.inside.lock().unwrap().refreshes
    }

    /// How often a spent token came back.
    pub fn reuses(&self) -> u64 {
        self.inside.lock().unwrap().reuses
    }

    pub fn revoked(&self) -> Vec<(TokenTypeHint, String)> {
        self.inside.lock().unwrap().revoked.clone()
    }

    pub fn revocation_is_down(&self, down: bool) {
        self.inside.lock().unwrap().revocation_down = down;
    }

    pub fn revocation_is_impossible(&self) {
        self.inside.lock().unwrap().revocation_impossible = true;
    }

    /// It refuses to revoke anything, and says why.
    pub fn revocation_is_refused(&self, why: &str) {
        self.inside.lock().unwrap().revocation_refused = Some(why.into());
    }

    /// The provider as which it was asked last to refresh or to revoke.
    pub fn asked_as(&self) -> Provider {
        self.inside.lock().unwrap().asked_as.clone().expect("it was asked")
    }

    /// Refresh tokens that would still work.
    pub fn alive(&self) -> Vec<String> {
        let inside = self.inside.lock().unwrap();
        inside
            .valid
            .iter()
            .filter(|(_, family)| !inside.dead_families.contains(family))
            .map(|(t, _)| t.clone())
            .collect()
    }

    fn grant(&self, inside: &mut Inside, family: u64) -> TokenGrant {
        inside.serial += 1;
        let refresh = format!("refresh-{}", inside.serial);
        inside.valid.insert(refresh.clone(), family);
        TokenGrant {
            access_token: AccessToken::new(format!("access-{}", inside.serial)),
            token_type: "Bearer".into(),
            expires_in_s: Some(self.access_s),
            access_exp: None,
            refresh_token: Some(RefreshToken::new(refresh)),
            refresh_expires_in_s: None,
            id_token: inside.gives_id_tokens.then(|| IdToken::new(format!("id-{}", inside.serial))),
            id_exp: None,
            scopes: None,
            received_at: self.time.now(),
        }
    }
}

/// What tokens are that are bound to a key, and others.
fn token_type_for(client: &Client) -> String {
    if client.dpop_key.is_some() { "DPoP".into() } else { "Bearer".into() }
}

fn key_of(client: &Client) -> Option<String> {
    client.dpop_key.as_ref().map(|key| key.expose_secret().to_owned())
}

impl ProofOfPossession for FakeProvider {
    fn make_key(&self) -> Result<DpopKey, ProviderFailure> {
        let mut inside = self.inside.lock().unwrap();
        inside.serial += 1;
        Ok(DpopKey::new(format!("key-{}", inside.serial)))
    }

    fn proof(
        &self,
        key: &DpopKey,
        method: &str,
        url: &str,
        nonce: Option<&str>,
        token: Option<&AccessToken>,
    ) -> Result<String, ProviderFailure> {
        let token = token.map(AccessToken::expose_secret).unwrap_or_default();
        Ok(format!("{} proves {method} {url} {} {token}", key.expose_secret(), nonce.unwrap_or_default()))
    }

    fn thumbprint(&self, key: &DpopKey) -> Result<String, ProviderFailure> {
        Ok(format!("thumbprint of {}", key.expose_secret()))
    }
}

#[async_trait]
impl TokenInspector for FakeProvider {
    async fn introspect(
        &self,
        client: &Client,
        token: &SecretValue,
        _: TokenTypeHint,
    ) -> Result<Introspection, ProviderFailure> {
        let mut inside = self.inside.lock().unwrap();
        inside.asked_as = Some(client.provider.clone());
        inside.inspected.push(token.expose_secret().to_owned());
        Ok(Introspection { active: true, username: Some(inside.person.clone()), ..Introspection::default() })
    }

    async fn userinfo(
        &self,
        client: &Client,
        token: &AccessToken,
        expected_subject: &str,
    ) -> Result<UserInfo, ProviderFailure> {
        let mut inside = self.inside.lock().unwrap();
        inside.asked_as = Some(client.provider.clone());
        inside.keys_used.push(key_of(client));
        inside.inspected.push(token.expose_secret().to_owned());
        if inside.refuses_tokens > 0 {
            inside.refuses_tokens -= 1;
            return Err(ProviderFailure::new(FailureKind::AccessTokenRefused, "userinfo", "refused").with_status(401));
        }
        let subject = inside.person.clone();
        if subject != expected_subject {
            return Err(ProviderFailure::new(FailureKind::ResponseMismatch, "userinfo", "another person"));
        }
        Ok(UserInfo { claims: format!("{{\"sub\":\"{subject}\"}}"), username: None, subject, signed: false })
    }
}

#[async_trait]
impl ClientRegistrar for FakeProvider {
    async fn register(&self, _: &Provider, asked: &Registration) -> Result<Registered, ProviderFailure> {
        self.inside.lock().unwrap().asked_to_register.push(asked.clone());
        let _pass = self.registrations.acquire().await.expect("never closed");
        let mut inside = self.inside.lock().unwrap();
        if inside.loses_registrations {
            return Err(
                ProviderFailure::new(FailureKind::TimedOut, "registration", "no answer came.").that_may_have_acted()
            );
        }
        let missing = || ProviderFailure::new(FailureKind::EndpointMissing, "registration", "none registers here");
        inside.registers.take().ok_or_else(missing)
    }

    async fn unregister(&self, access: &RegistrationAccess) -> Result<(), ProviderFailure> {
        let mut inside = self.inside.lock().unwrap();
        if inside.keeps_registrations {
            return Err(ProviderFailure::new(FailureKind::InvalidClient, "registration", "no").with_status(403));
        }
        inside.unregistered.push(access.uri.clone());
        Ok(())
    }
}

#[async_trait]
impl AuthorizationServer for FakeProvider {
    async fn discover(&self, _: &Client) -> Result<(), ProviderFailure> {
        Ok(())
    }

    async fn start(
        &self,
        client: &Client,
        request: AuthorizationRequest,
    ) -> Result<PendingAuthorization, ProviderFailure> {
        Ok(PendingAuthorization {
            url: format!("{}/authorize", client.provider.issuer),
            state: "state".into(),
            nonce: "nonce".into(),
            verifier: PkceVerifier::new("verifier".into()),
            redirect_uri: request.redirect_uri,
            issuer: client.provider.issuer.clone(),
            iss_required: false,
            signed_response: false,
        })
    }

    async fn finish(
        &self,
        client: &Client,
        _: PendingAuthorization,
        _: AuthorizationResponse,
    ) -> Result<SignedIn, ProviderFailure> {
        let _pass = self.exchanges.acquire().await.expect("never closed");
        let mut inside = self.inside.lock().unwrap();
        inside.keys_used.push(key_of(client));
        let family = inside.serial;
        let grant = TokenGrant { token_type: token_type_for(client), ..self.grant(&mut inside, family) };
        let person = inside.person.clone();
        let issuer = issuer_of(&client.provider);
        let claims = IdentityClaims { issuer, subject: person.clone(), username: Some(person) };
        Ok(SignedIn { grant, claims })
    }

    async fn start_device(&self, client: &Client, _: &[String]) -> Result<PendingDevice, ProviderFailure> {
        Ok(PendingDevice {
            device_code: DeviceCode::new("device-code".into()),
            user_code: "WDJB-MJHT".into(),
            verification_uri: format!("{}/device", client.provider.issuer),
            verification_uri_complete: Some(format!("{}/device?user_code=WDJB-MJHT", client.provider.issuer)),
            expires_in_s: 300,
            interval_s: 5,
            issuer: client.provider.issuer.clone(),
        })
    }

    async fn ask_device(&self, client: &Client, _: &PendingDevice) -> Result<DeviceAnswer, ProviderFailure> {
        let mut inside = self.inside.lock().unwrap();
        inside.device_asked_at.push(self.time.now());
        if let Some(says) = inside.device_says.pop_front() {
            return says;
        }
        let (family, person) = (inside.serial, inside.person.clone());
        let grant = self.grant(&mut inside, family);
        let claims =
            IdentityClaims { issuer: client.provider.issuer.clone(), subject: person.clone(), username: Some(person) };
        Ok(DeviceAnswer::SignedIn(Box::new(SignedIn { grant, claims })))
    }

    async fn refresh(
        &self,
        client: &Client,
        token: &RefreshToken,
        _: Holder<'_>,
        target: &Target,
    ) -> Result<TokenGrant, ProviderFailure> {
        {
            let mut inside = self.inside.lock().unwrap();
            inside.refreshes += 1;
            inside.asked_as = Some(client.provider.clone());
            inside.keys_used.push(key_of(client));
        }
        let _pass = self.gate.acquire().await.expect("never closed");
        let mut inside = self.inside.lock().unwrap();
        let says = inside.script.pop_front();
        if let Some(Says::No(failure)) = says {
            return Err(failure);
        }
        let refused_as = match target.resource.as_deref() {
            Some("https://unknown.example") => Some(FailureKind::OAuthError),
            Some("https://second-factor.example") => Some(FailureKind::InteractionRequired),
            Some("https://unconsented.example") => Some(FailureKind::InvalidGrant),
            Some("https://busy.example") => Some(FailureKind::RateLimited),
            _ => None,
        };
        if let Some(kind) = refused_as {
            return Err(ProviderFailure::new(kind, "token", "does not give this.").with_status(400));
        }
        let value = token.expose_secret();
        if let Some(family) = inside.spent.get(value).copied() {
            inside.reuses += 1;
            inside.dead_families.insert(family);
        }
        let alive = inside.valid.get(value).copied().filter(|family| !inside.dead_families.contains(family));
        let Some(family) = alive else {
            return Err(ProviderFailure::new(FailureKind::InvalidGrant, "token", "refused").with_status(400));
        };
        inside.valid.remove(value);
        inside.spent.insert(value.to_owned(), family);
        let mut grant = self.grant(&mut inside, family);
        grant.token_type = token_type_for(client);
        if !target.is_empty() {
            inside.targets.push(target.clone());
            // One resource gives more than was asked for.
            let generous = target.resource.as_deref() == Some("https://generous.example");
            let more = generous.then(|| "write".to_owned());
            grant.scopes = Some(target.scopes.iter().cloned().chain(more).collect());
        }
        match says {
            Some(Says::RotatesAndLosesTheReply) => {
                Err(ProviderFailure::new(FailureKind::TimedOut, "token", "no answer").that_may_have_acted())
            }
            _ => Ok(grant),
        }
    }

    async fn take_over(&self, client: &Client, token: &RefreshToken) -> Result<SignedIn, ProviderFailure> {
        let grant = self.refresh(client, token, Holder::default(), &Target::default()).await?;
        let person = self.inside.lock().unwrap().person.clone();
        let (issuer, username) = (client.provider.issuer.clone(), Some(person.clone()).filter(|name| !name.is_empty()));
        Ok(SignedIn { grant, claims: IdentityClaims { issuer, subject: person, username } })
    }

    async fn revoke(
        &self,
        client: &Client,
        token: &SecretValue,
        hint: TokenTypeHint,
    ) -> Result<RevocationOutcome, ProviderFailure> {
        let _pass = self.revocations.acquire().await.expect("never closed");
        let mut inside = self.inside.lock().unwrap();
        inside.asked_as = Some(client.provider.clone());
        if inside.revocation_down {
            return Err(ProviderFailure::new(FailureKind::ServerError, "revocation", "down").with_status(503));
        }
        if inside.revocation_impossible {
            return Ok(RevocationOutcome::Impossible);
        }
        if let Some(why) = inside.revocation_refused.clone() {
            return Ok(RevocationOutcome::Refused(why));
        }
        inside.valid.remove(token.expose_secret());
        inside.revoked.push((hint, token.expose_secret().to_owned()));
        Ok(RevocationOutcome::Revoked)
    }
}

/// A browser whose person signs in at once.
struct AtOnce;

/// A browser whose person never comes back.
struct Never;

#[async_trait]
impl Listening for Never {
    fn redirect_uri(&self) -> &str {
        "http://127.0.0.1:1/callback"
    }
    async fn answer(
        &mut self,
        _: &PendingAuthorization,
    ) -> (Result<AuthorizationResponse, ProviderFailure>, Box<dyn BrowserPage>) {
        std::future::pending().await
    }
}

#[async_trait]
impl Listening for AtOnce {
    fn redirect_uri(&self) -> &str {
        "http://127.0.0.1:1/callback"
    }
    async fn answer(
        &mut self,
        _: &PendingAuthorization,
    ) -> (Result<AuthorizationResponse, ProviderFailure>, Box<dyn BrowserPage>) {
        (Ok(AuthorizationCode::new("code".into()).into()), Box::new(Self))
    }
}

#[async_trait]
impl BrowserPage for AtOnce {
    async fn show(self: Box<Self>, _: SignInPage) {}
}

#[async_trait]
impl RedirectDoor for FakeProvider {
    async fn hand_over(&self, _: SecretValue) -> bool {
        false
    }
}

#[async_trait]
impl RedirectReceiver for FakeProvider {
    async fn listen(&self, _: Option<&str>) -> Result<Box<dyn Listening>, ProviderFailure> {
        if self.inside.lock().unwrap().nobody_comes_back { Ok(Box::new(Never)) } else { Ok(Box::new(AtOnce)) }
    }
}
