//! The profiles that come with Holdfast.

use axum::Json;
use holdfast_engine as engine;
use holdfast_wire as wire;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{revoking, routes::Shared, views};

/// The operations of this file.
pub fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_profiles))
}

/// What is known of services, by name. The vault may be locked.
#[utoipa::path(get, path = "/v1/profiles", tag = "providers", responses((status = 200, body = wire::ProfileList)))]
async fn list_profiles() -> Json<wire::ProfileList> {
    Json(wire::ProfileList { profiles: engine::profiles().iter().map(profile).collect() })
}

fn profile(profile: &engine::Profile) -> wire::ProfileView {
    let variable = |(name, variable): (&String, &engine::Variable)| wire::VariableView {
        name: name.clone(),
        description: variable.description.clone(),
        default: variable.default.clone(),
        choices: variable.choices.clone(),
    };
    let source = |source: &engine::FactSource| wire::FactSourceView {
        facts: source.facts.clone(),
        confidence: match source.confidence {
            engine::Confidence::Unsure => wire::Confidence::Unsure,
            engine::Confidence::Reported => wire::Confidence::Reported,
            engine::Confidence::Verified => wire::Confidence::Verified,
        },
        from: source.from.clone(),
    };
    wire::ProfileView {
        name: profile.name.to_string(),
        display_name: profile.display_name.clone(),
        protocol: views::protocol(profile.protocol),
        unsupported: profile.why_unsupported().map(str::to_owned),
        issuer: profile.issuer.clone(),
        register_url: profile.register_url.clone(),
        client_authentication: views::client_authentication(profile.client_authentication),
        pkce: profile.pkce.map(|pkce| match pkce {
            engine::Pkce::Required => wire::Pkce::Required,
            engine::Pkce::Supported => wire::Pkce::Supported,
            engine::Pkce::Unsupported => wire::Pkce::Unsupported,
        }),
        redirect: profile.redirect.map(|redirect| match redirect {
            engine::RedirectRule::AnyPort => wire::RedirectRule::AnyPort,
            engine::RedirectRule::Fixed => wire::RedirectRule::Fixed,
            engine::RedirectRule::HttpsOnly => wire::RedirectRule::HttpsOnly,
        }),
        scopes: profile.scopes.clone(),
        access_lifetime_s: profile.access_lifetime_s,
        refresh_absolute_s: profile.refresh_absolute_s,
        refresh_sliding_s: profile.refresh_sliding_s,
        refresh_rotation: profile.refresh_rotation.map(|rotation| match rotation {
            engine::Rotation::Always => wire::Rotation::Always,
            engine::Rotation::Never => wire::Rotation::Never,
            engine::Rotation::Sometimes => wire::Rotation::Sometimes,
        }),
        live_tokens_max: profile.live_tokens_max,
        variables: profile.variables.iter().map(variable).collect(),
        revocation_way: profile.revocation.as_ref().map(|revocation| revoking::way(revocation.way)),
        revocation_effect: profile.revocation.as_ref().map(|revocation| revocation.effect.clone()),
        revocation_url: profile.revocation.as_ref().and_then(|revocation| revocation.user_url.clone()),
        notes: profile.notes.clone(),
        sources: profile.sources.iter().map(source).collect(),
    }
}
