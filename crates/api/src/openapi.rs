//! The description of the socket: made from the routes themselves, so that it cannot say anything else.

use utoipa::openapi::{Info, License, OpenApi, OpenApiBuilder, Server};

/// The OpenAPI 3.1 document of `/v1`.
pub fn document() -> OpenApi {
    let (_, described) = crate::routes::router().split_for_parts();
    let mut info = Info::new("Holdfast local socket", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "HTTP/1.1 on a Unix socket of the same user. Requests with an Origin or Referer header are refused.".to_owned(),
    );
    info.license = Some(License::new("Apache-2.0 OR MIT"));
    OpenApiBuilder::from(described).info(info).servers(Some([Server::new("http://holdfast")])).build()
}

#[cfg(test)]
mod tests {
    /// `HOLDFAST_WRITE_OPENAPI=1 cargo test -p holdfast-api` writes the document anew.
    #[test]
    fn the_committed_document_is_the_one_that_the_routes_describe() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let described = format!("{}\n", super::document().to_pretty_json().expect("serialises"));
        if std::env::var_os("HOLDFAST_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &described).expect("docs/ is writable");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == described,
            "docs/openapi.json is out of step; run: HOLDFAST_WRITE_OPENAPI=1 cargo test -p holdfast-api"
        );
    }
}
