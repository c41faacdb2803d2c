"""The process around the controller: settings, kopf's watches, metrics. The only package that imports kopf."""
