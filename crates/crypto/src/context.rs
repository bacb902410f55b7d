//! The authenticated context of a seal: where its ciphertext belongs.

use holdfast_model::VaultId;

/// Says what the bytes are, so that no other structure can be read as this one.
const ROW_DOMAIN: &[u8] = b"holdfast/aad/v1/row";

/// The one place where an envelope opens. A ciphertext that is moved to another row, column, table or vault, or
/// put back after a newer generation, does not open there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The vault.
    pub vault: VaultId,
    /// The table: lower-case ASCII, no slash.
    pub table: &'static str,
    /// The row's identifier, as its bytes.
    pub row: &'a [u8],
    /// The column: lower-case ASCII, no slash.
    pub column: &'static str,
    /// The version of what is inside the seal.
    pub schema: u32,
    /// Counts the rewrites of the row.
    pub generation: u64,
}

impl Context<'_> {
    /// The bytes to authenticate.
    pub(crate) fn authenticated(&self) -> Vec<u8> {
        members(&[
            ROW_DOMAIN,
            self.vault.as_bytes(),
            self.table.as_bytes(),
            self.row,
            self.column.as_bytes(),
            &self.schema.to_be_bytes(),
            &self.generation.to_be_bytes(),
        ])
    }

    /// What separates the subkeys of different places.
    pub(crate) fn key_info(&self) -> String {
        ["holdfast/v1/", self.table, "/", self.column].concat()
    }
}

/// Canonical encoding: each member behind its length (4 bytes, big endian), so that no two lists give the same bytes.
pub(crate) fn members(members: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(members.iter().map(|member| member.len() + 4).sum());
    for member in members {
        // Members are identifiers and short words; a length beyond u32 cannot come to exist.
        bytes.extend_from_slice(&u32::try_from(member.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(member);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_a_byte_between_two_members_changes_the_encoding() {
        assert_ne!(members(&[b"ab", b"c"]), members(&[b"a", b"bc"]));
        assert_ne!(members(&[b"ab"]), members(&[b"ab", b""]));
    }
}
