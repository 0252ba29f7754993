"""Hand-written limits: the least code that does the same work on the same servers, without the product."""
