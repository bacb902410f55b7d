//! A witness in memory.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use holdfast_model::{VaultId, ports::Witness};

/// What is kept outside the file: the last statement about each vault.
#[derive(Default)]
pub struct Statements(Mutex<BTreeMap<[u8; 16], Vec<u8>>>);

#[async_trait]
impl Witness for Statements {
    async fn statements(&self, vault: VaultId, _: bool) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().get(vault.as_bytes()).cloned().into_iter().collect()
    }
    fn written(&self, vault: VaultId, _: bool, statement: Vec<u8>) {
        self.0.lock().unwrap().insert(*vault.as_bytes(), statement);
    }
    async fn settle(&self) {}
}
