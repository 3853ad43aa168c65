//! Both adapters in fixed buffers on scripted transports: the same scenarios for both. Then what only the
//! asynchronous one has: futures dropped at every await.

/// On `embedded-io`.
mod blocking {
    macro_rules! go {
        ($operation:expr) => {
            $operation
        };
    }

    use sockless::embedded_io as adapter;

    include!("scenarios.rs");

    mod opening {
        use sockless::embedded_io as adapter;

        include!("opening.rs");
    }
}

/// On `embedded-io-async`, each future polled to its end over a transport that makes it wait at every other call.
mod asynchronous {
    macro_rules! go {
        ($operation:expr) => {
            crate::script::run($operation)
        };
    }

    use sockless::embedded_io_async as adapter;

    include!("scenarios.rs");

    mod opening {
        use sockless::embedded_io_async as adapter;

        include!("opening.rs");
    }

    mod cancel {
        include!("cancel.rs");
    }
}
