//! Proofs for helpers: who holds a token that is bound to a key asks for one for each request, and the key stays here
//! (RFC 9449 section 7).

use holdfast_model::{
    AuditAction, CredentialSet, DpopKey, Fingerprint,
    ports::{Damage, VaultError, VaultStore},
};

use crate::{Caller, Engine, EngineError, TokenDemand};

/// The longest name of a method; those that there are have a handful of letters.
const LONGEST_METHOD: usize = 32;

/// The request for which a proof is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProofDemand {
    /// Its method: `GET`.
    pub method: String,
    /// Its address; query and fragment do not count.
    pub url: String,
    /// The nonce that the server asked for (`DPoP-Nonce`).
    pub nonce: Option<String>,
    /// The token that goes with the request.
    pub token: TokenDemand,
}

/// A proof, and the token for which alone it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The value of the `DPoP` header. Good for one request, and at once.
    pub proof: String,
    /// The access token that has to go with it.
    pub fingerprint: Fingerprint,
}

/// The key to which an account's tokens are bound; `None` where they are bound to none.
///
/// # Errors
/// [`VaultError::Damaged`] where they are bound, and the vault's record of the key does not open or is gone: without it a
/// provider refuses them for good, or gives others that are bound to nothing.
pub(crate) async fn key_of(store: &dyn VaultStore, credentials: &CredentialSet) -> Result<Option<DpopKey>, VaultError> {
    if let Some(key) = &credentials.dpop {
        return Ok(Some(DpopKey::from(store.secret(key.id).await?)));
    }
    match [&credentials.access, &credentials.refresh].into_iter().flatten().find(|token| token.token_type == "DPoP") {
        Some(bound) => {
            Err(VaultError::Damaged { table: "credentials", row: bound.id.to_string(), how: Damage::Missing })
        }
        None => Ok(None),
    }
}

impl Engine {
    /// Proves for one request that the account's key is at hand. The proof is good with the token that [`Engine::token`]
    /// hands out now, and with no other.
    pub async fn dpop_proof(
        &self,
        id_or_label: &str,
        demand: &ProofDemand,
        caller: &Caller,
    ) -> Result<Proof, EngineError> {
        // RFC 9110 section 9.1: a method is a token, and by convention in capitals.
        let is_method = (1..=LONGEST_METHOD).contains(&demand.method.len())
            && demand.method.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_'));
        if !is_method {
            return Err(EngineError::RequestUnfit("The method of a request is a word in capitals: GET, POST."));
        }
        let handed = self.valid_token(id_or_label, &demand.token).await?;
        let (store, credentials, label) = {
            let state = self.state();
            let session = state.session()?;
            let entry = session.entry(handed.credential.account)?;
            (session.store.clone(), entry.credentials.clone(), entry.account.label.clone())
        };
        let Some(key) = key_of(store.as_ref(), &credentials).await? else { return Err(EngineError::NotBound(label)) };
        let ports = &self.shared.ports;
        let proof =
            ports.proof.proof(&key, &demand.method, &demand.url, demand.nonce.as_deref(), Some(&handed.token))?;
        self.audit(AuditAction::ProofMade, Some(handed.credential.account), caller, Some(demand.method.clone()));
        Ok(Proof { proof, fingerprint: handed.credential.fingerprint })
    }
}
