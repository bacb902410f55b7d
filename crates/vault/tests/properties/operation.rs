//! What can happen to a vault.

use proptest::{prelude::*, sample::Index};

use crate::call::{Call, calls};

/// One step. What it is about is chosen when it is done, from what the vault holds then, so that any steps may be taken out of
/// a sequence and the rest still means something: that is how a failure is made small.
#[derive(Clone, Debug)]
pub enum Operation {
    Call(Call),
    CancelledCall(Call),
    CallAfterClosing(Call),
    Reopen,
    OpenWithAnotherSecret,
    /// The process ends without a word, and a new one opens what it left.
    Kill,
    MakeRecoveryCode,
    OpenByRecoveryCode {
        which: Index,
    },
    Rekey {
        right_proof: bool,
    },
    RekeyWhileOpen,
    Backup {
        /// To a file that is there already.
        again: bool,
    },
    Restore {
        right_passphrase: bool,
    },
    RestoreOverAVault,
    Copy,
    PutBack,
}

pub fn operations() -> impl Strategy<Value = Operation> {
    let mostly = |rarely: u32| prop_oneof![3 => Just(true), rarely => Just(false)];
    prop_oneof![
        120 => calls().prop_map(Operation::Call),
        6 => calls().prop_map(Operation::CancelledCall),
        2 => calls().prop_map(Operation::CallAfterClosing),
        6 => Just(Operation::Reopen),
        1 => Just(Operation::OpenWithAnotherSecret),
        6 => Just(Operation::Kill),
        4 => Just(Operation::MakeRecoveryCode),
        4 => any::<Index>().prop_map(|which| Operation::OpenByRecoveryCode { which }),
        3 => mostly(1).prop_map(|right_proof| Operation::Rekey { right_proof }),
        1 => Just(Operation::RekeyWhileOpen),
        // A passphrase takes long to check, and a backup and a restore check one or two.
        1 => mostly(1).prop_map(|new| Operation::Backup { again: !new }),
        1 => mostly(1).prop_map(|right_passphrase| Operation::Restore { right_passphrase }),
        1 => Just(Operation::RestoreOverAVault),
        3 => Just(Operation::Copy),
        2 => Just(Operation::PutBack),
    ]
}
