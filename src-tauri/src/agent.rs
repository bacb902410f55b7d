//! The agent, as far as a window may use it: everything but tokens. Only this file names the client, and it does not
//! bring the call that hands out tokens into scope.

use holdfast_client::{Client, Error, Events, SocketPath, StartAgent};
use holdfast_wire::{
    AddAccount, AddProvider, AddedAccount, BackupReport, BrowserSignOutReply, BrowserSignOutView, ChangeKey,
    CheckReport, ImportFile, ImportedFile, InitVault, MakeBackup, MakeRecoveryCode, ProfileView, RecoveryCodeReply,
    RemoveDamaged, RestoreReport, RestoreVault, SignInCallback, SignInView, SignOutReport, StartSignIn, Status,
    Timestamp, UnlockVault,
};

/// Seconds that one question about a browser may wait for its end; it is asked again.
const BROWSER_WAIT_S: u64 = 50;

/// The agent behind its redacted calls. Each of them blocks.
#[derive(Clone, Debug)]
pub struct Agent {
    client: Client,
}

impl Agent {
    /// The agent that the environment means; it is started when it does not run.
    pub fn from_environment() -> Self {
        Self { client: Client::new(SocketPath::from_environment(), StartAgent::WhenNoneAnswers) }
    }

    /// Makes sure that an agent answers.
    pub fn start_if_needed(&self) -> Result<Status, Error> {
        self.client.start_agent_if_needed()
    }

    /// Everything that is worth drawing, as it changes.
    pub fn events(&self) -> Result<Events, Error> {
        self.client.events()
    }

    /// The agent's clock.
    pub fn now(&self) -> Result<Timestamp, Error> {
        self.client.status_of_running().map(|status| status.server_now)
    }

    /// Makes the vault.
    pub fn init_vault(&self, request: &InitVault) -> Result<(), Error> {
        self.client.init_vault(request).map(drop)
    }

    /// Opens the vault.
    pub fn unlock_vault(&self, request: &UnlockVault) -> Result<(), Error> {
        self.client.unlock_vault(request).map(drop)
    }

    /// Locks the vault.
    pub fn lock_vault(&self) -> Result<(), Error> {
        self.client.lock_vault().map(drop)
    }

    /// Opens every record, and says what is wrong.
    pub fn check_vault(&self) -> Result<CheckReport, Error> {
        self.client.check_vault()
    }

    /// Takes the vault as it is for the right one.
    pub fn accept_vault(&self) -> Result<(), Error> {
        self.client.accept_vault().map(drop)
    }

    /// Deletes a record that does not open any more.
    pub fn remove_damaged(&self, request: &RemoveDamaged) -> Result<(), Error> {
        self.client.remove_damaged(request).map(drop)
    }

    /// Writes a backup to a new file.
    pub fn backup_vault(&self, request: &MakeBackup) -> Result<BackupReport, Error> {
        self.client.backup_vault(request)
    }

    /// Makes a vault from a backup.
    pub fn restore_vault(&self, request: &RestoreVault) -> Result<RestoreReport, Error> {
        self.client.restore_vault(request)
    }

    /// Seals the vault anew under a new key.
    pub fn rekey_vault(&self, request: &ChangeKey) -> Result<(), Error> {
        self.client.rekey_vault(request).map(drop)
    }

    /// Makes a recovery code, which is told this once.
    pub fn make_recovery_code(&self, request: &MakeRecoveryCode) -> Result<RecoveryCodeReply, Error> {
        self.client.make_recovery_code(request)
    }

    /// Imports a file, which the agent opens.
    pub fn import_file(&self, request: &ImportFile) -> Result<ImportedFile, Error> {
        self.client.import_file(request)
    }

    /// What is known of services, by name.
    pub fn profiles(&self) -> Result<Vec<ProfileView>, Error> {
        self.client.profiles().map(|list| list.profiles)
    }

    /// Adds a provider.
    pub fn add_provider(&self, request: &AddProvider) -> Result<(), Error> {
        self.client.add_provider(request).map(drop)
    }

    /// Adds an account that nobody signs in to.
    pub fn add_account(&self, request: &AddAccount) -> Result<AddedAccount, Error> {
        self.client.add_account(request)
    }

    /// Begins a sign-in.
    pub fn start_sign_in(&self, request: &StartSignIn) -> Result<SignInView, Error> {
        self.client.start_sign_in(request)
    }

    /// A sign-in as it is now.
    pub fn sign_in(&self, id: &str) -> Result<SignInView, Error> {
        self.client.sign_in(id, 0)
    }

    /// Gives an address of our own scheme to the sign-in that waits for it.
    pub fn hand_over(&self, callback: &SignInCallback) -> Result<(), Error> {
        self.client.hand_over(callback)
    }

    /// Gives a sign-in up.
    pub fn cancel_sign_in(&self, id: &str) -> Result<(), Error> {
        self.client.cancel_sign_in(id).map(drop)
    }

    /// Renews an account now.
    pub fn refresh(&self, account: &str) -> Result<(), Error> {
        self.client.refresh(account).map(drop)
    }

    /// Has the provider refuse an account's tokens.
    pub fn revoke(&self, account: &str) -> Result<SignOutReport, Error> {
        self.client.revoke(account)
    }

    /// Signs one account out.
    pub fn sign_out(&self, account: &str) -> Result<SignOutReport, Error> {
        self.client.sign_out(account)
    }

    /// Signs one account out, and prepares the way to the end of the browser's session.
    pub fn sign_out_with_browser(&self, account: &str) -> Result<BrowserSignOutReply, Error> {
        self.client.sign_out_with_browser(account)
    }

    /// How far that browser has come; waits a while for its end.
    pub fn browser_sign_out(&self, id: &str) -> Result<BrowserSignOutView, Error> {
        self.client.browser_sign_out(id, BROWSER_WAIT_S)
    }

    /// Signs one account out and removes it.
    pub fn remove_account(&self, account: &str) -> Result<SignOutReport, Error> {
        self.client.remove_account(account)
    }

    /// Signs every account out.
    pub fn sign_out_all(&self) -> Result<Vec<SignOutReport>, Error> {
        self.client.sign_out_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn no_source_of_the_desktop_can_ask_for_a_token() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri/src");
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            // Put together here, so that this test does not find itself.
            for word in [["Hand", "Out"], ["Token", "Request"], ["Token", "Reply"], ["access", "_token\""]] {
                assert!(!text.contains(&word.concat()), "{} names {}", path.display(), word.concat());
            }
            let names_client = text.contains(&["Client", "::new"].concat());
            assert!(!names_client || path.ends_with("agent.rs"), "{} makes a client of its own", path.display());
            files += 1;
        }
        assert!(files >= 9, "only {files} files were looked at");
    }
}
