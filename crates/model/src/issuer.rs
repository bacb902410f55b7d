//! Issuers, and templates of them: one authorization server may speak for many.
//!
//! Microsoft Entra names itself `https://login.microsoftonline.com/{tenantid}/v2.0` where people of any company sign in, and
//! each ID token then comes from the issuer with the person's own tenant in that place
//! ([OpenID Connect on the Microsoft identity platform](https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc)).
//! An issuer is a template only where a person or a profile says so. What a server calls itself makes it none.

/// What stands for the tenant, as Entra writes it in its metadata.
const PLACEHOLDER: &str = "{tenantid}";

/// Hexadecimal digits of a GUID between its hyphens (RFC 9562 section 4).
const GUID: [usize; 5] = [8, 4, 4, 4, 12];

/// An issuer with a place for a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerTemplate<'a> {
    before: &'a str,
    after: &'a str,
}

impl<'a> IssuerTemplate<'a> {
    /// The template that `issuer` is: the placeholder stands in it once, as a whole segment of its path, and there are no
    /// other braces. `None` for every other text.
    pub fn of(issuer: &'a str) -> Option<Self> {
        let (before, after) = issuer.split_once(PLACEHOLDER)?;
        let host = before.split_once("://")?.1;
        let is_segment = host.find('/').is_some_and(|at| at > 0)
            && before.ends_with('/')
            && (after.is_empty() || after.starts_with('/'));
        let other = |text: &str| text.contains(['{', '}', '?', '#']);
        (is_segment && !other(before) && !other(after)).then_some(Self { before, after })
    }

    /// The issuer of this tenant; `None` when `tenant` is no GUID.
    pub fn filled(&self, tenant: &str) -> Option<String> {
        is_guid(tenant).then(|| format!("{}{tenant}{}", self.before, self.after))
    }

    /// Whether `issuer` is the one of this tenant.
    pub fn is_of(&self, issuer: &str, tenant: &str) -> bool {
        self.filled(tenant).is_some_and(|filled| filled == issuer)
    }

    /// Whether `issuer` is the one of some tenant.
    pub fn fits(&self, issuer: &str) -> bool {
        let tenant = issuer.strip_prefix(self.before).and_then(|rest| rest.strip_suffix(self.after));
        tenant.is_some_and(is_guid)
    }
}

/// Whether `iss`, by which something says where it comes from, is the issuer that is known as `known`: the same text, or where
/// that is a template the issuer of one of its tenants. Nothing comes from a template itself.
pub fn comes_from(known: &str, iss: &str) -> bool {
    IssuerTemplate::of(known).map_or(known == iss, |template| template.fits(iss))
}

/// Whether what was signed in at `issuer` belongs to the provider that is known as `known`. There it may be the template
/// itself: of some accounts nobody says the tenant.
pub fn speaks_for(known: &str, issuer: &str) -> bool {
    known == issuer || comes_from(known, issuer)
}

fn is_guid(text: &str) -> bool {
    let mut parts = text.split('-');
    let fit = GUID.iter().all(|digits| {
        parts.next().is_some_and(|part| part.len() == *digits && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    fit && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
    const TENANT: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";

    #[test]
    fn a_tenant_fills_the_place_that_a_template_has_for_it() {
        let template = IssuerTemplate::of(TEMPLATE).expect("a template");
        let issuer = template.filled(TENANT).expect("a GUID");
        assert_eq!(issuer, format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
        assert!(template.fits(&issuer) && template.is_of(&issuer, TENANT) && comes_from(TEMPLATE, &issuer));
        assert!(!template.fits(TEMPLATE) && !comes_from(TEMPLATE, TEMPLATE), "nothing comes from a template");
        assert!(comes_from(&issuer, &issuer) && !comes_from(&issuer, TEMPLATE), "an exact issuer is compared as text");
        assert!(speaks_for(TEMPLATE, TEMPLATE) && speaks_for(TEMPLATE, &issuer) && !speaks_for(&issuer, TEMPLATE));
        let last = IssuerTemplate::of("https://sts.example/{tenantid}").expect("a template");
        assert_eq!(last.filled(TENANT).as_deref(), Some(&*format!("https://sts.example/{TENANT}")));
    }

    #[test]
    fn what_is_no_guid_fills_nothing() {
        let template = IssuerTemplate::of(TEMPLATE).expect("a template");
        for odd in [
            "",
            "common",
            "{tenantid}",
            "contoso.onmicrosoft.com",
            "8eaef0232b344da19baa8bc8c9d6a490",
            "8eaef023-2b34-4da1-9baa-8bc8c9d6a49",
            "8eaef023-2b34-4da1-9baa-8bc8c9d6a490-0",
            "8eaef023-2b34-4da1-9baa-8bc8c9d6a49g",
            "8eaef023/2b34-4da1-9baa-8bc8c9d6a490",
            "8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0/x",
            "８eaef023-2b34-4da1-9baa-8bc8c9d6a490",
            "{8eaef023-2b34-4da1-9baa-8bc8c9d6a490}",
        ] {
            assert_eq!(template.filled(odd), None, "{odd}");
            assert!(!template.fits(&format!("https://login.microsoftonline.com/{odd}/v2.0")), "{odd}");
        }
        for odd in ["https://login.microsoftonline.com/v2.0", "https://evil.example/", ""] {
            assert!(!template.fits(odd), "{odd}");
        }
    }

    #[test]
    fn only_one_whole_segment_of_a_path_makes_a_template() {
        for exact in [
            "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
            "https://{tenantid}.example/v2.0",
            "https://{tenantid}/v2.0",
            "{tenantid}",
            "/{tenantid}",
            "https:///{tenantid}",
            "https://id.example/x{tenantid}/v2.0",
            "https://id.example/{tenantid}x",
            "https://id.example/{tenantid}/{tenantid}",
            "https://id.example/{tenant}/v2.0",
            "https://id.example/{realm}/{tenantid}",
            "https://id.example/?t=/{tenantid}",
            "https://id.example/{TENANTID}/v2.0",
        ] {
            assert_eq!(IssuerTemplate::of(exact), None, "{exact}");
        }
    }
}
