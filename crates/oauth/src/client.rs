//! The [`AuthorizationServer`] port: each of its calls from the first request to the checked result.

use std::sync::Arc;

use async_trait::async_trait;
use holdfast_model::{
    AccessToken, Clock, DpopKey, FailureKind, IdToken, IdentityClaims, Protocol, Provider, ProviderFailure,
    RefreshToken, RevocationOutcome, RevocationWay, SecretValue, SignedIn, Target, TokenGrant, TokenTypeHint,
    UnixMillis,
    ports::{
        Assertion, AuthorizationRequest, AuthorizationResponse, AuthorizationServer, Client, DeviceAnswer,
        DirectGrants, Exchange, Holder, PendingAuthorization, PendingDevice, ProofOfPossession,
    },
};

use crate::{
    assertion::{self, Statement, Unsignable},
    authorize,
    backchannel::Backchannel,
    client_authentication,
    device::{self, Said},
    discovery::Discovery,
    dpop::{self, Call, ProofKey},
    http::{Http, HttpSetupError, Limits, parse},
    id_token::{self, Checked, Expected, Fault, Occasion, invalid},
    keys::{KeySet, Keys},
    metadata::Metadata,
    network::Network,
    revoke,
    signed::Signature,
    signed_response,
    single_flight::{Kept, Want},
    token::Grant,
    token_answer::Granted,
    userinfo, vendor_revocation,
};

/// An OAuth 2 and OpenID Connect client for all providers. Keeps their metadata and signing keys in memory, and no token.
pub struct OAuthClient {
    pub(crate) http: Http,
    clock: Arc<dyn Clock>,
    discovery: Discovery,
    pub(crate) keys: Keys,
}

impl OAuthClient {
    /// A client with the usual [`Limits`], which trusts the certificate authorities of the system and goes by the proxy of the
    /// environment.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, HttpSetupError> {
        Self::with_network(clock, Limits::default(), Network::default())
    }

    /// A client with other limits.
    pub fn with_limits(clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, HttpSetupError> {
        Self::with_network(clock, limits, Network::default())
    }

    /// A client whose requests leave as `network` says.
    pub fn with_network(clock: Arc<dyn Clock>, limits: Limits, network: Network) -> Result<Self, HttpSetupError> {
        let http = Http::new(limits, network, Arc::clone(&clock))?;
        Ok(Self { http, clock, discovery: Discovery::new(), keys: Keys::new() })
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    pub(crate) async fn metadata(&self, provider: &Provider) -> Result<Arc<Metadata>, ProviderFailure> {
        self.discovery.metadata(&self.http, provider, Want::Usable, || self.now()).await
    }

    pub(crate) async fn keys(&self, metadata: &Metadata) -> Result<Kept<KeySet>, ProviderFailure> {
        self.keys.at(&self.http, metadata.keys_at()?, || self.now()).await
    }

    pub(crate) fn backchannel<'a>(&'a self, metadata: &'a Metadata, client: &'a Client) -> Backchannel<'a> {
        Backchannel { http: &self.http, clock: self.clock.as_ref(), metadata, client }
    }

    /// Finds out whose the tokens of a sign-in are: by the ID token, which `keys` have to verify, or where there are no such
    /// things by the userinfo endpoint.
    async fn signed_in(
        &self,
        client: &Client,
        metadata: &Metadata,
        mut granted: Granted,
        keys: Option<Kept<KeySet>>,
        occasion: Occasion<'_>,
        named: &str,
    ) -> Result<SignedIn, ProviderFailure> {
        let Some(keys) = keys else {
            let claims = self.person(client, metadata, &granted.grant).await?;
            return Ok(SignedIn { grant: granted.grant, claims });
        };
        let Some(token) = granted.id_token.take() else {
            return Err(invalid("there is none in the answer, and without it nobody knows whose account this is"));
        };
        let checked = id_token::check(&token, &expected(client, metadata, &granted, occasion, named))?;
        self.verify(&token, &checked, metadata, keys).await?;
        let claims = keep(&mut granted, token, checked);
        Ok(SignedIn { grant: granted.grant, claims })
    }

    /// Whom the userinfo endpoint names; nobody where there is none.
    async fn person(
        &self,
        client: &Client,
        metadata: &Metadata,
        grant: &TokenGrant,
    ) -> Result<IdentityClaims, ProviderFailure> {
        let (subject, username) = match &metadata.userinfo_endpoint {
            Some(endpoint) => {
                let info = userinfo::ask(self, client, metadata, endpoint, &grant.access_token).await?;
                (info.subject, info.username)
            }
            None => Default::default(),
        };
        Ok(IdentityClaims { issuer: metadata.issuer.clone(), subject, username })
    }

    /// The same for tokens that are there to be kept: nothing that goes wrong with it is a failure.
    async fn named(&self, client: &Client, metadata: &Metadata, granted: Granted) -> SignedIn {
        let grant = granted.grant;
        let claims = self.person(client, metadata, &grant).await.unwrap_or_else(|failure| {
            tracing::warn!(kind = ?failure.kind, "nobody said whose token it is");
            IdentityClaims { issuer: metadata.issuer.clone(), subject: String::new(), username: None }
        });
        SignedIn { grant, claims }
    }

    /// A grant without a person: nobody is named by it, and an ID token in the answer is nobody's.
    async fn direct(&self, client: &Client, grant: &Grant<'_>) -> Result<TokenGrant, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        Ok(self.backchannel(&metadata, client).redeem(grant).await?.grant)
    }

    /// Checks the signature.
    async fn verify(
        &self,
        token: &IdToken,
        checked: &Checked,
        metadata: &Metadata,
        keys: Kept<KeySet>,
    ) -> Result<(), Fault> {
        match self.signature(metadata, keys, |keys| id_token::verify(token, checked, keys)).await? {
            Signature::Good => Ok(()),
            Signature::Bad => Err(Fault::Contradiction("its signature does not fit".into())),
            Signature::NoKey => Err(Fault::Unproven("the provider publishes no key that can have signed it".into())),
        }
    }

    /// Checks the ID token that a refresh brought, words first: no key is needed to see a contradiction.
    async fn examine(&self, token: &IdToken, expected: &Expected<'_>, metadata: &Metadata) -> Result<Checked, Fault> {
        let checked = id_token::check(token, expected)?;
        let keys = self.keys(metadata).await?;
        self.verify(token, &checked, metadata, keys).await?;
        Ok(checked)
    }
}

#[async_trait]
impl AuthorizationServer for OAuthClient {
    #[tracing::instrument(skip_all, fields(provider = %client.provider.name))]
    async fn discover(&self, client: &Client) -> Result<(), ProviderFailure> {
        let metadata = self.discovery.metadata(&self.http, &client.provider, Want::New, || self.now()).await?;
        client_authentication::check(client, &metadata, self.now(), "discovery")
    }

    #[tracing::instrument(name = "sign_in", skip_all, fields(provider = %client.provider.name))]
    async fn start(
        &self,
        client: &Client,
        request: AuthorizationRequest,
    ) -> Result<PendingAuthorization, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        authorize::start(self.backchannel(&metadata, client), &request).await
    }

    #[tracing::instrument(name = "sign_in", skip_all, fields(provider = %client.provider.name))]
    async fn finish(
        &self,
        client: &Client,
        pending: PendingAuthorization,
        response: AuthorizationResponse,
    ) -> Result<SignedIn, ProviderFailure> {
        same_issuer(client, &pending.issuer)?;
        let metadata = self.metadata(&client.provider).await?;
        let (code, issuer) = signed_response::code_of(self, client, &metadata, &pending, response).await?;
        let entitled = Grant::Code { code: &code, verifier: &pending.verifier, redirect_uri: &pending.redirect_uri };
        let oidc = client.provider.protocol == Protocol::Oidc;
        // Before the code is spent: afterwards a failure here would leave tokens at the provider that nobody knows.
        let keys = if oidc { Some(self.keys(&metadata).await?) } else { None };
        let granted = self.backchannel(&metadata, client).redeem(&entitled).await?;
        // What the answer said of its issuer holds for the tokens, where the provider has several.
        let named = issuer.unwrap_or_default();
        self.signed_in(client, &metadata, granted, keys, Occasion::SignIn { nonce: &pending.nonce }, &named).await
    }

    #[tracing::instrument(name = "sign_in", skip_all, fields(provider = %client.provider.name))]
    async fn start_device(&self, client: &Client, scopes: &[String]) -> Result<PendingDevice, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        device::start(self.backchannel(&metadata, client), &authorize::scopes(scopes, &client.provider)).await
    }

    #[tracing::instrument(name = "sign_in", skip_all, fields(provider = %client.provider.name))]
    async fn ask_device(&self, client: &Client, pending: &PendingDevice) -> Result<DeviceAnswer, ProviderFailure> {
        same_issuer(client, &pending.issuer)?;
        let oidc = client.provider.protocol == Protocol::Oidc;
        // Before the code is spent, as at a sign-in with the browser.
        let prepared = async {
            let metadata = self.metadata(&client.provider).await?;
            let keys = if oidc { Some(self.keys(&metadata).await?) } else { None };
            Ok::<_, ProviderFailure>((metadata, keys))
        };
        let (metadata, keys) = match prepared.await {
            // A person is under way on another device: what is down for a moment must not end that.
            Err(failure) if failure.is_transient() => return Ok(DeviceAnswer::SlowDown),
            prepared => prepared?,
        };
        match device::ask(self.backchannel(&metadata, client), &pending.device_code).await? {
            Said::Wait(answer) => Ok(answer),
            Said::Tokens(granted) => {
                let signed_in = self.signed_in(client, &metadata, *granted, keys, Occasion::Device, "").await?;
                Ok(DeviceAnswer::SignedIn(Box::new(signed_in)))
            }
        }
    }

    #[tracing::instrument(name = "refresh", skip_all, fields(provider = %client.provider.name))]
    async fn refresh(
        &self,
        client: &Client,
        token: &RefreshToken,
        holder: Holder<'_>,
        target: &Target,
    ) -> Result<TokenGrant, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        let mut granted = self.backchannel(&metadata, client).redeem(&Grant::Refresh { token, target }).await?;
        let told = granted.id_token.take().filter(|_| client.provider.protocol == Protocol::Oidc);
        let Some(token) = told else { return Ok(granted.grant) };
        let occasion = Occasion::Refresh { subject: holder.subject };
        let expected = expected(client, &metadata, &granted, occasion, holder.issuer);
        match self.examine(&token, &expected, &metadata).await {
            Ok(checked) => {
                keep(&mut granted, token, checked);
            }
            // The tokens beside it may belong to somebody else, and using them would act in that person's name. OpenID
            // Connect Core section 12.2 demands the same issuer, subject and audience. That may cost the session.
            Err(fault @ Fault::Contradiction(_)) => return Err(fault.into()),
            // The refresh token is spent by now: what nobody could check must not cost the session. Without its ID token
            // the answer is one that every provider may give (the same section).
            Err(Fault::Unproven(why)) => tracing::warn!(why, "the new ID token is left out"),
            Err(Fault::Unchecked(failure)) => {
                tracing::warn!(kind = ?failure.kind, "no signing keys; the new ID token is left out");
            }
        }
        Ok(granted.grant)
    }

    #[tracing::instrument(name = "take_over", skip_all, fields(provider = %client.provider.name))]
    async fn take_over(&self, client: &Client, token: &RefreshToken) -> Result<SignedIn, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        if client.provider.protocol == Protocol::Oauth2 {
            let granted = self
                .backchannel(&metadata, client)
                .redeem(&Grant::Refresh { token, target: &Target::default() })
                .await?;
            return Ok(self.named(client, &metadata, granted).await);
        }
        // Before the token is spent, as at a sign-in.
        self.keys(&metadata).await?;
        let mut granted =
            self.backchannel(&metadata, client).redeem(&Grant::Refresh { token, target: &Target::default() }).await?;
        if let Some(token) = granted.id_token.take() {
            let expected = expected(client, &metadata, &granted, Occasion::Refresh { subject: "" }, "");
            match self.examine(&token, &expected, &metadata).await {
                Ok(checked) => {
                    let claims = keep(&mut granted, token, checked);
                    return Ok(SignedIn { grant: granted.grant, claims });
                }
                Err(fault @ Fault::Contradiction(_)) => return Err(fault.into()),
                Err(Fault::Unproven(why)) => tracing::warn!(why, "the ID token is left out"),
                Err(Fault::Unchecked(failure)) => {
                    tracing::warn!(kind = ?failure.kind, "no signing keys; the ID token is left out");
                }
            }
        }
        Ok(self.named(client, &metadata, granted).await)
    }

    #[tracing::instrument(name = "revoke", skip_all, fields(provider = %client.provider.name, hint = hint.as_str()))]
    async fn revoke(
        &self,
        client: &Client,
        token: &SecretValue,
        hint: TokenTypeHint,
    ) -> Result<RevocationOutcome, ProviderFailure> {
        let (way, given) = (client.provider.revoking.way, client.provider.endpoints.revocation.as_deref());
        let given = given.filter(|_| way != RevocationWay::Rfc7009).map(|url| parse(url, revoke::PLACE)).transpose()?;
        let by_vendor =
            async |endpoint| vendor_revocation::revoke(&self.http, client, endpoint, token, || self.now()).await;
        if let Some(endpoint) = &given {
            return by_vendor(endpoint).await;
        }
        if !way.is_in_metadata() {
            return Ok(RevocationOutcome::Impossible);
        }
        let metadata = self.metadata(&client.provider).await?;
        match &metadata.revocation_endpoint {
            Some(endpoint) if way == RevocationWay::Rfc7009 => {
                revoke::revoke(self.backchannel(&metadata, client), endpoint, token, hint).await
            }
            Some(endpoint) => by_vendor(endpoint).await,
            None => Ok(RevocationOutcome::Impossible),
        }
    }
}

/// What was started at one issuer goes to no other.
fn same_issuer(client: &Client, started_at: &str) -> Result<(), ProviderFailure> {
    if started_at == client.provider.issuer {
        return Ok(());
    }
    let detail = "The provider's issuer was changed during the sign-in. Holdfast threw the answer away. Start again.";
    Err(ProviderFailure::new(FailureKind::ResponseMismatch, "token", detail))
}

fn expected<'a>(
    client: &'a Client,
    metadata: &'a Metadata,
    granted: &'a Granted,
    occasion: Occasion<'a>,
    named: &'a str,
) -> Expected<'a> {
    Expected {
        issuer: &metadata.issuer,
        named,
        client_id: &client.provider.client_id,
        access_token: &granted.grant.access_token,
        occasion,
        now: granted.arrival.provider_now(),
    }
}

fn keep(granted: &mut Granted, token: IdToken, checked: Checked) -> IdentityClaims {
    granted.grant.id_token = Some(token);
    granted.grant.id_exp = Some(granted.arrival.in_our_time(checked.expires_at));
    checked.identity
}

#[async_trait]
impl DirectGrants for OAuthClient {
    #[tracing::instrument(name = "client_credentials", skip_all, fields(provider = %client.provider.name))]
    async fn client_credentials(&self, client: &Client, target: &Target) -> Result<TokenGrant, ProviderFailure> {
        self.direct(client, &Grant::ClientCredentials { target }).await
    }

    #[tracing::instrument(name = "token_exchange", skip_all, fields(provider = %client.provider.name))]
    async fn exchange(&self, client: &Client, exchange: &Exchange) -> Result<TokenGrant, ProviderFailure> {
        let grant = Grant::Exchange {
            subject: exchange.subject.expose_secret(),
            subject_type: &exchange.subject_type,
            requested_type: exchange.requested_type.as_deref(),
            target: &exchange.target,
        };
        self.direct(client, &grant).await
    }

    #[tracing::instrument(name = "jwt_bearer", skip_all, fields(provider = %client.provider.name))]
    async fn assert(&self, client: &Client, asked: &Assertion) -> Result<TokenGrant, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        let said = &asked.statement;
        let issuer = said.issuer.as_deref().unwrap_or(&client.provider.client_id);
        let scope = asked.target.scope();
        // A computer that just woke may be far off, and a statement of another time is refused for good.
        let at = self.http.origins.their_time(&metadata.token_endpoint, self.now());
        let statement = Statement {
            issuer,
            subject: said.subject.as_deref().unwrap_or(issuer),
            audience: said.audience.as_deref().unwrap_or(metadata.token_endpoint.as_str()),
            scope: Some(scope.as_str()).filter(|scope| !scope.is_empty()),
            key_id: said.key_id.as_deref(),
        };
        let signed = assertion::by_key(asked.key.expose_secret(), &[], &statement, at).map_err(|unsignable| {
            let detail = match unsignable {
                Unsignable::NoKey => {
                    "The key of this account is none that Holdfast can sign with. Enter an RSA, P-256, P-384 or Ed25519 key \
                     in PEM (PKCS #8, \"BEGIN PRIVATE KEY\")."
                }
                Unsignable::OtherCertificate => {
                    "The certificate beside the key of this account is not that of the key, or cannot be read. Enter the key \
                     with its own certificate, or the key alone."
                }
            };
            ProviderFailure::new(FailureKind::InvalidClient, "token", detail)
        })?;
        self.direct(client, &Grant::Assertion { assertion: &signed, target: &asked.target }).await
    }
}

impl ProofOfPossession for OAuthClient {
    fn make_key(&self) -> Result<DpopKey, ProviderFailure> {
        dpop::make_key().map_err(|_| {
            let detail = "The system gave no random numbers for a DPoP key. Holdfast did nothing. Try again.";
            ProviderFailure::new(FailureKind::VaultFailed, dpop::PLACE, detail)
        })
    }

    fn proof(
        &self,
        key: &DpopKey,
        method: &str,
        url: &str,
        nonce: Option<&str>,
        access_token: Option<&AccessToken>,
    ) -> Result<String, ProviderFailure> {
        let url = parse(url, dpop::PLACE)?;
        let at = self.http.origins.their_time(&url, self.now());
        let call = Call { method, url: &url, nonce, access_token, at };
        ProofKey::of(key).and_then(|key| key.prove(&call)).map_err(|unusable| unusable.at(dpop::PLACE))
    }

    fn thumbprint(&self, key: &DpopKey) -> Result<String, ProviderFailure> {
        ProofKey::of(key).map(|key| key.thumbprint()).map_err(|unusable| unusable.at(dpop::PLACE))
    }
}
