"""The process around the controller: settings, kopf's watches, metrics, logs. The only package that imports kopf."""
