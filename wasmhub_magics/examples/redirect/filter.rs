//! Redirect to the canonical host, which is the configuration.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

#[derive(Default)]
struct Plugin {
    host: String,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        self.host = text;
        !self.host.is_empty()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { host: self.host.clone() }))
    }
}

struct Stream {
    host: String,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let host = self.get_http_request_header(":authority").unwrap_or_default();
        if host == self.host || path.starts_with("/.well-known/") {
            return Action::Continue;
        }
        let location = format!("https://{}{}", self.host, path);
        self.send_http_response(301, vec![("location", &location)], None);
        Action::Pause
    }
}
