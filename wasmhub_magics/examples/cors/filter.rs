//! CORS: the configuration lists the origins whose pages may read responses, separated by spaces.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Plugin { origins: String::new() }));
}}

struct Plugin {
    origins: String,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _: usize) -> bool {
        self.origins = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { origins: self.origins.clone(), origin: None }))
    }
}

struct Stream {
    origins: String,
    origin: Option<String>, // of the request, where it is allowed
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let given = self.get_http_request_header("origin");
        self.origin = given.filter(|given| self.origins.split_whitespace().any(|each| each == given));
        let preflight = self.get_http_request_header("access-control-request-method").is_some();
        if !preflight || self.get_http_request_header(":method").as_deref() != Some("OPTIONS") {
            return Action::Continue;
        }
        if self.origin.is_none() {
            self.send_http_response(403, vec![], Some(b"this origin is not allowed\n"));
            return Action::Pause;
        }
        let wanted = self.get_http_request_header("access-control-request-headers");
        let headers = vec![
            ("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
            ("access-control-allow-headers", wanted.as_deref().unwrap_or("content-type")),
            ("access-control-max-age", "600"),
        ];
        self.send_http_response(204, headers, None);
        Action::Pause
    }

    // An answer of our own comes by here, too.
    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("access-control-allow-origin", None);
        if let Some(origin) = &self.origin {
            self.set_http_response_header("access-control-allow-origin", Some(origin));
            self.add_http_response_header("vary", "origin");
        }
        Action::Continue
    }
}
