#pragma once

/// Makes the completion backend of the tests known as "fake" (COVE_BACKEND=fake); before any
/// runtime is made. What it does stands at the head of fake_backend.cpp.
void register_fake_backend();
