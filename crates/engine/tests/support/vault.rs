pub use holdfast_memory_vault::MemoryVault;

/// The passphrase of every vault here.
pub const RIGHT: &str = "copper thistle wagon";
