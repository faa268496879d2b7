//! Add and rewrite headers.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Headers));
}}

struct Headers;

impl Context for Headers {}

impl HttpContext for Headers {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_request_header("x-env", Some("prod")); // whatever the client says
        self.set_http_request_header("x-internal-token", None); // only we may send this
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if let Some(rest) = path.strip_prefix("/api/") {
            self.set_http_request_header(":path", Some(&format!("/v1/{}", rest)));
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("x-powered-by", None);
        self.set_http_response_header("strict-transport-security", Some("max-age=63072000"));
        self.set_http_response_header("x-content-type-options", Some("nosniff"));
        Action::Continue
    }
}
