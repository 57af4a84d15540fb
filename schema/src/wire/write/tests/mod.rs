//! Is what is written the answer that the specification wants?
